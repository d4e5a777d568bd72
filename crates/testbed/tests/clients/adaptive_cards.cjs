// Reads cards with the renderer of Adaptive Cards, as version 1.4, and sees whether it understood all of them.
//
// Usage: adaptive_cards.cjs, with a JSON list of cards on standard input
// Prints how many values were understood; what was not is told on standard error, with exit code 1.

const fs = require("node:fs");
const path = require("node:path");
const installed = path.join(__dirname, "../../../../.tools/npm/node_modules");
const { AdaptiveCard, SerializationContext, Versions } = require(
  path.join(installed, "adaptivecards/dist/adaptivecards.min.js"),
);

// What only Teams knows.
const HOSTS_OWN = new Set(["msteams"]);

// Throws unless everything that was written was read, and counts it.
function compare(written, read, where) {
  if (written === null || typeof written !== "object") {
    if (written !== read) {
      throw new Error(`${where}: ${JSON.stringify(written)} was written and ${JSON.stringify(read)} read`);
    }
    return 1;
  }
  return Object.entries(written)
    .filter(([name]) => !HOSTS_OWN.has(name))
    .reduce((count, [name, value]) => count + compare(value, read?.[name], `${where}/${name}`), 0);
}

function check(written) {
  const card = new AdaptiveCard();
  const context = new SerializationContext(Versions.v1_4);
  card.parse(written, context);
  const faults = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index).message);
  faults.push(...card.validateProperties().validationEvents.map((event) => event.message));
  if (faults.length > 0) {
    throw new Error(faults.join("; "));
  }
  return compare(written, card.toJSON(new SerializationContext(Versions.v1_4)), "");
}

const cards = JSON.parse(fs.readFileSync(0, "utf8"));
console.log(cards.reduce((count, card) => count + check(card), 0));
