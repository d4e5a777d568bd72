//! The table of docs/RELIABILITY.md, from a file of figures.

use std::fmt::Write as _;

use crate::report::File;

/// A row beside a figure of the open-source tool that Tocsin replaces.
struct Row {
    what: &'static str,
    scenario: &'static str,
    figure: &'static str,
    unit: &'static str,
    reference: &'static str,
    goal: &'static str,
}

const fn row(
    what: &'static str,
    (scenario, figure, unit): (&'static str, &'static str, &'static str),
    reference: &'static str,
    goal: &'static str,
) -> Row {
    Row { what, scenario, figure, unit, reference, goal }
}

/// Beside the reference.
const BESIDE: [Row; 14] = [
    row("Postgres killed: webhooks refused", ("postgres-killed", "accept_5xx", ""), "errors for seconds", "0"),
    row("Postgres killed: webhooks, p99", ("postgres-killed", "accept_p99_ms", " ms"), "not measured", "< 200 ms"),
    row("Postgres killed: applying resumes", ("postgres-killed", "apply_rto_s", " s"), "11 s", "≤ 3 s"),
    row("Postgres killed: failed reads", ("postgres-killed", "read_failures", ""), "503 for ~3 s", "0"),
    row("Postgres' node killed: applying resumes", ("postgres-node-killed", "apply_rto_s", " s"), "11 s", "≤ 8 s"),
    row("Postgres paused: applying resumes", ("postgres-paused", "apply_rto_s", " s"), "not tested", "≤ 8 s"),
    row("Postgres cut off: applying resumes", ("postgres-cut-off", "apply_rto_s", " s"), "not tested", "≤ 8 s"),
    row("Redis cut off: acknowledged and lost", ("redis-cut-off", "lost", ""), "not tested", "0"),
    row("network split: acknowledged and lost", ("network-split", "lost", ""), "not tested", "0"),
    row("Redis killed: webhooks refused", ("redis-killed", "accept_5xx", ""), "errors for seconds", "0"),
    row("Redis killed: applying resumes", ("redis-killed", "apply_rto_s", " s"), "5 s", "≤ 3 s"),
    row("ingest rolled: webhooks refused", ("ingest-rolled", "accept_5xx", ""), "0", "0"),
    row("api rolled: failed reads", ("api-rolled", "read_failures", ""), "0", "0"),
    row("Redis emptied: acknowledged and lost", ("redis-emptied", "lost", ""), "not tested", "0"),
];

/// Markdown: the machine, the rows beside the reference, and every scenario.
pub(crate) fn markdown(file: &File) -> String {
    let mut text = String::new();
    let commit = file.commit.as_deref().unwrap_or("unknown");
    let machine = &file.machine;
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "Topology {}; {}, {} cores, {} MiB, Linux {}; {}; commit {commit}.\n",
        file.topology, machine.cpu, machine.cores, machine.memory_mib, machine.kernel, file.date
    );
    text.push_str("| | reference | goal | measured, median (max) |\n|---|---|---|---|\n");
    for Row { what, scenario, figure, unit, reference, goal } in BESIDE {
        let Some(figures) = file.scenarios.get(scenario) else { continue };
        let value = |name: &str| figures.get(name).map(|value| format!("{}{unit}", shown(*value)));
        let max = value(&format!("{figure}_max")).map(|max| format!(" ({max})")).unwrap_or_default();
        let measured = value(figure).unwrap_or_else(|| "—".to_owned());
        let _ = writeln!(text, "| {what} | {reference} | {goal} | {measured}{max} |");
    }
    text.push_str(
        "\n| scenario | runs | failed webhooks | p99 ms | accept s | apply s | notify s | failed reads | not alive | lost | doubled |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (scenario, figures) in &file.scenarios {
        let value = |name: &str| figures.get(name).copied().map_or_else(|| "—".to_owned(), shown);
        let time = |name: &str| format!("{} ({})", value(name), value(&format!("{name}_max")));
        let _ = writeln!(
            text,
            "| {scenario} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            value("runs"),
            value("accept_5xx"),
            time("accept_p99_ms"),
            time("accept_rto_s"),
            time("apply_rto_s"),
            time("notify_rto_s"),
            value("read_failures"),
            value("health_failures"),
            value("lost"),
            value("doubled")
        );
    }
    text
}

/// Counts without a point, times with two digits after it.
fn shown(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_beside_the_reference() {
        let file = r#"{
            "machine": {"cpu": "A CPU", "cores": 2, "kernel": "6.1.0", "memory_mib": 24105},
            "commit": "0123abc", "date": "2026-12-01", "topology": "single",
            "scenarios": {"postgres-killed": {"runs": 5, "accept_5xx": 0, "accept_p99_ms": 21.5, "accept_p99_ms_max": 40.25,
                "accept_rto_s": 0.021, "accept_rto_s_max": 0.05, "apply_rto_s": 0.4, "apply_rto_s_max": 0.61,
                "notify_rto_s": 0.5, "notify_rto_s_max": 0.7, "read_failures": 61, "health_failures": 0,
                "lost": 0, "doubled": 0}}}"#;
        insta::assert_snapshot!(markdown(&serde_json::from_str(file).unwrap()));
    }
}
