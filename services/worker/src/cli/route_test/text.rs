//! A verdict for people.

use std::fmt;

use super::{Node, Outcome, Taken, Verdict};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "routes")?;
        write_node(f, &self.tree, "", "", "")?;
        for (index, taken) in self.routes.iter().enumerate() {
            writeln!(f)?;
            write_taken(f, taken, index == 0)?;
        }
        for (rule, keys) in &self.inhibits {
            writeln!(f, "\ninhibits, by the rule `{rule}`")?;
            for key in keys {
                writeln!(f, "  offers           {key}")?;
            }
        }
        for (rule, key) in &self.inhibited_by {
            writeln!(f, "\ncan be inhibited, by the rule `{rule}`")?;
            writeln!(f, "  looks for        {key}")?;
        }
        Ok(())
    }
}

/// A line for the route, and those of the routes below it, as a tree. `lead` stands before its line, and `below` before
/// those of its children.
fn write_node(f: &mut fmt::Formatter<'_>, node: &Node, lead: &str, branch: &str, below: &str) -> fmt::Result {
    let continues = if node.r#continue { " continue" } else { "" };
    write!(f, "  {lead}{branch}{}{continues}", node.matchers)?;
    match node.outcome {
        Outcome::Taken => write!(f, "  ✔ {}", receiver(node.receiver.as_deref()))?,
        Outcome::TakenBelow => write!(f, "  matches; a route below takes it")?,
        Outcome::NotReached => write!(f, "  not asked: an earlier route has matched")?,
        Outcome::Refused => {
            for (index, failed) in node.failed.iter().enumerate() {
                let separator = if index == 0 { "  ✘" } else { "," };
                let name = failed.matcher.name();
                write!(f, "{separator} {} fails, {name} is {:?}", failed.matcher, failed.value)?;
            }
        }
    }
    writeln!(f)?;
    let inner = format!("{lead}{below}");
    for (index, child) in node.routes.iter().enumerate() {
        let is_last = index + 1 == node.routes.len();
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        write_node(f, child, &inner, branch, below)?;
    }
    Ok(())
}

fn write_taken(f: &mut fmt::Formatter<'_>, taken: &Taken, is_first: bool) -> fmt::Result {
    let role = if is_first { "its incident is of this route's group" } else { "told of the same incident" };
    writeln!(f, "{}  ({role})", taken.path)?;
    writeln!(f, "  receiver         {}", receiver(taken.receiver.as_deref()))?;
    writeln!(f, "  group key        {}", taken.group_key)?;
    writeln!(f, "  group_by         [{}]", taken.group_by.join(", "))?;
    writeln!(f, "  group_wait       {}", taken.group_wait)?;
    writeln!(f, "  group_interval   {}", taken.group_interval)?;
    writeln!(f, "  repeat_interval  {}", taken.repeat_interval)?;
    writeln!(f, "  resolve          {}", taken.resolve)?;
    writeln!(f, "  reopen_within    {}", taken.reopen_within)?;
    for step in &taken.escalation {
        let receivers = if step.receivers.is_empty() { "nobody".to_owned() } else { step.receivers.join(", ") };
        writeln!(f, "  escalation       after {}: {receivers}", step.after)?;
    }
    Ok(())
}

fn receiver(name: Option<&str>) -> &str {
    name.unwrap_or("nobody is told")
}
