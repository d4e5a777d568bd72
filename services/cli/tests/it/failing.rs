//! How it ends when it does not work.

use std::time::Instant;

use tocsin_testbed::Port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bed::{Bed, READER, run, tocsin};

/// A server that gives each connection the next of these answers, and tells what it was asked.
async fn scripted(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0, "the request has an end");
            }
            asked.push(String::from_utf8(head).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (url, serving)
}

fn answer(status: &str, headers: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn refusal(status: &str, headers: &str, code: &str) -> String {
    let number = &status[..3];
    let body = format!(r#"{{"status": {number}, "title": "Not now", "code": "{code}", "request_id": "r-1"}}"#);
    answer(status, headers, "application/problem+json", &body)
}

#[tokio::test]
async fn refusals_have_their_exit_codes_and_say_what_is_wrong() {
    let bed = Bed::start().await;
    for (token, args, exit, told) in [
        (READER, &["incidents", "show", "4711"][..], 3, "no incident has this id or number (not_found, request "),
        (READER, &["ack", "4711"], 4, "(insufficient_scope, request "),
        ("nobody's", &["incidents"], 4, "(invalid_token, request "),
        (READER, &["incidents", "--label", "=x"], 1, "parameter label: "),
        (READER, &["alerts", "show", "4711"], 3, "no alert has this id"),
    ] {
        let run = bed.run(token, args).await;
        assert_eq!((run.exit, run.out.as_str()), (exit, ""), "{args:?}: {run:?}");
        assert!(run.err.starts_with("error: ") && run.err.contains(told), "{args:?}: {run:?}");
        assert!(!run.err.contains(token), "{run:?}");
    }
    let without = run(tocsin().arg("incidents").env("TOCSIN_URL", bed.topology.url())).await;
    assert!(without.exit == 4 && without.err.contains("(missing_token, "), "{without:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_ends_with_5_in_time() {
    let url = format!("http://127.0.0.1:{}", Port::free().unwrap().number());
    let begun = Instant::now();
    let run = run(tocsin().args(["incidents", "--timeout", "1s", "--url", &url])).await;
    assert!(run.exit == 5 && run.err.starts_with(&format!("error: cannot reach {url}/: ")), "{run:?}");
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_says_nothing_ends_with_5_in_time() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let run = run(tocsin().args(["tail", "--timeout", "1s", "--url", &url]).env("TOCSIN_TOKEN", "t")).await;
    assert!(run.exit == 5 && run.err.contains("did not answer within"), "{run:?}");
}

#[tokio::test]
async fn what_passes_is_tried_again_under_the_same_key() {
    let done = answer("200 OK", "", "application/json", r#"{"command_id": "c", "status": "done", "changed": true}"#);
    let (url, serving) = scripted(vec![
        refusal("503 Service Unavailable", "retry-after: 0\r\n", "redis_unavailable"),
        refusal("429 Too Many Requests", "retry-after: 0\r\n", "rate_limited"),
        answer("502 Bad Gateway", "", "text/html", "<h1>Bad gateway</h1>"),
        done,
    ])
    .await;
    let run = run(tocsin().args(["ack", "1", "--url", &url, "--as", "Jürgen"]).env("TOCSIN_TOKEN", "t")).await;
    assert_eq!((run.exit, run.out.as_str()), (0, "#1 done\n"), "{run:?}");
    let asked = serving.await.unwrap();
    let header = |head: &str, name: &str| {
        head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned).unwrap()
    };
    let keys: Vec<_> = asked.iter().map(|head| header(head, "idempotency-key")).collect();
    assert!(keys.len() == 4 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(
        (header(&asked[0], "authorization"), header(&asked[0], "x-tocsin-actor")),
        ("Bearer t".to_owned(), "Jürgen".to_owned())
    );
}

#[tokio::test]
async fn what_stays_is_not_tried_for_ever_and_what_is_not_tocsin_is_not_taken_for_it() {
    let busy = || refusal("429 Too Many Requests", "retry-after: 60\r\n", "rate_limited");
    let page = answer("404 Not Found", "", "text/html", "<h1>Not found</h1>");
    let odd = answer("200 OK", "", "application/json", "[]");
    for (answer, exit, told) in [
        (busy(), 5, "error: Not now (rate_limited, request r-1)\n"),
        (page, 1, "and not as Tocsin does"),
        (odd, 1, "the answer cannot be read"),
        (answer("307 Temporary Redirect", "location: http://127.0.0.1:9/\r\n", "text/plain", ""), 1, "307"),
    ] {
        let (url, serving) = scripted(vec![answer]).await;
        let run = run(tocsin().args(["incidents", "--url", &url]).env("TOCSIN_TOKEN", "t")).await;
        assert!(run.exit == exit && run.err.contains(told), "{run:?}");
        assert_eq!(serving.await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_token_may_come_from_a_file_or_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "of-a-file\n").unwrap();
    let list = answer(
        "200 OK",
        "",
        "application/json",
        r#"{"data": [], "total": 0, "total_is_exact": true, "next_cursor": null}"#,
    );
    let file = path.to_str().unwrap();
    for (args, env) in [(&["--token-file", file][..], None), (&[], Some(file)), (&["--token-file", "-"], None)] {
        let (url, serving) = scripted(vec![list.clone()]).await;
        let mut command = tocsin();
        command.args(["incidents", "--url", &url]).args(args).stdin(std::fs::File::open(&path).unwrap());
        if let Some(file) = env {
            command.env("TOCSIN_TOKEN_FILE", file);
        }
        let run = run(&mut command).await;
        assert_eq!((run.exit, run.out.as_str()), (0, "NUMBER  STATUS  SEVERITY  FIRING  OPENED  TITLE\n"), "{run:?}");
        assert!(serving.await.unwrap()[0].contains("authorization: Bearer of-a-file\r\n"));
    }
}
