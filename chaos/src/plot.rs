//! A picture of a run: the latency of webhooks over time, and what failed.

use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::Seen;
use crate::probes::Question;
use crate::traffic::Sent;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
/// Of the part with latencies; below it is a lane for each other thing.
const HEIGHT: f64 = 260.0;
const LANE: f64 = 18.0;
/// Latencies from the one to the other, in milliseconds, on a logarithmic scale.
const LATENCIES: (f64, f64) = (0.5, 10_000.0);
const MARKS_MS: [f64; 5] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];

const GOOD: &str = "#2563eb";
const BAD: &str = "#dc2626";
const OTHER: &str = "#059669";

/// As SVG.
pub(crate) fn svg(title: &str, seen: &Seen) -> String {
    let end = seen.sent.iter().map(Sent::answered).chain([seen.marks.ended]).max().unwrap_or_default();
    let x = |at: Duration| LEFT + (WIDTH - LEFT - RIGHT) * at.as_secs_f64() / end.as_secs_f64().max(0.001);
    let lanes = lanes(seen);
    #[expect(clippy::cast_precision_loss, reason = "a dozen of lanes")]
    let height = TOP + HEIGHT + LANE * (lanes.len() as f64 + 2.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    // Writing to a String does not fail.
    let (begun, cleared) = (x(seen.marks.begun), x(seen.marks.cleared));
    let _ = writeln!(
        text,
        "<rect x=\"{begun:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#fee2e2\"/>",
        (cleared - begun).max(1.0),
        height - TOP - LANE
    );
    for mark in MARKS_MS {
        let at = y(mark);
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e5e7eb\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{mark} ms</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0
        );
    }
    for sent in &seen.sent {
        let colour = if sent.is_accepted() { GOOD } else { BAD };
        let at = y(sent.took.as_secs_f64() * 1e3);
        let _ = writeln!(text, "<circle cx=\"{:.1}\" cy=\"{at:.1}\" r=\"1.6\" fill=\"{colour}\"/>", x(sent.due));
    }
    let mut at = TOP + HEIGHT + LANE;
    for (name, moments, colour) in lanes {
        let _ = writeln!(text, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>", LEFT - 8.0, at + 4.0);
        for moment in moments {
            let x = x(moment.min(end));
            let _ = writeln!(
                text,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>",
                at - 5.0,
                at + 5.0
            );
        }
        at += LANE;
    }
    let mut second = Duration::ZERO;
    while second <= end {
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} s</text>",
            x(second),
            height - 6.0,
            second.as_secs()
        );
        second += Duration::from_secs(1);
    }
    text.push_str("</svg>\n");
    text
}

/// A name, and when it happened.
fn lanes(seen: &Seen) -> Vec<(String, Vec<Duration>, &'static str)> {
    let (failed, answered): (Vec<_>, Vec<_>) = seen.reads.iter().partition(|read| read.failed.is_some());
    let due = |reads: Vec<&crate::traffic::Read>| reads.into_iter().map(|read| read.due).collect::<Vec<_>>();
    let mut lanes = vec![
        ("applied".to_owned(), seen.ledger.applied.clone(), OTHER),
        ("told".to_owned(), seen.ledger.told.clone(), OTHER),
        ("read".to_owned(), due(answered), OTHER),
        ("reads failed".to_owned(), due(failed), BAD),
    ];
    for (name, question, answers) in seen.probes.all() {
        let no: Vec<_> = answers.iter().filter(|(_, yes)| !yes).map(|(at, _)| *at).collect();
        if !no.is_empty() {
            let what = match question {
                Question::Health => "not alive",
                Question::Ready => "not ready",
            };
            lanes.push((format!("{name} {what}"), no, BAD));
        }
    }
    lanes
}

fn y(milliseconds: f64) -> f64 {
    let (low, high) = LATENCIES;
    let share = (milliseconds.clamp(low, high) / low).ln() / (high / low).ln();
    TOP + HEIGHT * (1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_between_the_top_and_the_bottom() {
        assert!((y(0.0) - (TOP + HEIGHT)).abs() < 1e-9);
        assert!((y(1e9) - TOP).abs() < 1e-9);
        assert!(y(10.0) > y(100.0));
    }
}
