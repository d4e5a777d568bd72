//! What can be learnt without a server.

use std::process::Stdio;

use tocsin_testbed::programs;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::bed::{run, tocsin};

async fn help(args: &[&str]) -> String {
    let run = run(tocsin().args(args).arg("--help")).await;
    assert_eq!((run.exit, run.err.as_str()), (0, ""), "{args:?}");
    run.out
}

#[tokio::test]
async fn the_help_says_what_there_is_and_how_it_ends() {
    insta::assert_snapshot!("help", help(&[]).await);
    insta::assert_snapshot!("help_incidents", help(&["incidents"]).await);
    insta::assert_snapshot!("help_silence_create", help(&["silence", "create"]).await);
}

#[tokio::test]
async fn what_means_nothing_ends_with_2() {
    for wrong in [
        &["fly"][..],
        &["ack"],
        &["ack", "../.."],
        &["incidents", "--status", "burning"],
        &["incidents", "--limit", "251"],
        &["incidents", "--since", "yesterday"],
        &["silence", "create", "--for", "1h"],
        &["silence", "create", "a=b"],
        &["silence", "create", "a=b", "--incident", "1", "--for", "1h"],
        &["send", "x", "--label", "novalue"],
        &["dead-letters", "redrive"],
        &["notifications", "redrive", "--receiver", "ops"],
        &["incidents", "--url", "ftp://nowhere"],
        &["incidents", "--token-file", "/nowhere/token"],
        &["incidents", "--token", "secret"],
    ] {
        let run = run(tocsin().args(wrong)).await;
        assert_eq!((run.exit, run.out.as_str()), (2, ""), "{wrong:?}: {run:?}");
        assert!(run.err.starts_with("error: "), "{wrong:?}: {run:?}");
    }
    let run = run(tocsin().arg("incidents").env("TOCSIN_TOKEN", "a").env("TOCSIN_TOKEN_FILE", "/b")).await;
    assert_eq!((run.exit, run.err.as_str()), (2, "error: set TOCSIN_TOKEN or TOCSIN_TOKEN_FILE, not both\n"));
}

#[tokio::test]
async fn shells_can_read_the_completions() {
    for (shell, package, args) in
        [("bash", "bash", &["-n"][..]), ("zsh", "zsh", &["-n"]), ("fish", "fish", &["--no-execute"])]
    {
        let script = run(tocsin().args(["completions", shell])).await;
        assert_eq!(script.exit, 0, "{script:?}");
        assert!(script.out.contains("dead-letters"), "{shell} knows the commands");
        let mut child = Command::new(programs::system(shell, package).unwrap())
            .args(args)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.out.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}
