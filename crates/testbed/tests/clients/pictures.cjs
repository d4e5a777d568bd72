// Makes the pages of which docs/images has pictures: a card as the renderer of Adaptive Cards shows it, and the HTML of a mail,
// both from the notifier's snapshots.
//
// Usage: pictures.cjs FOLDER
// To take the pictures:  chromium --headless --no-sandbox --hide-scrollbars --window-size=WxH --screenshot=FILE file://PAGE

const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "../../../..");
const renderer = path.join(root, ".tools/npm/node_modules/adaptivecards/dist/adaptivecards.min.js");

function snapshot(name) {
  const folder = path.join(root, "services/notifier/src/receivers/snapshots");
  const text = fs.readFileSync(path.join(folder, `tocsin_notifier__receivers__tests__${name}.snap`), "utf8");
  return text.split("---\n").slice(2).join("---\n");
}

// The looks are those of a host: here, near to those of Teams.
function cardPage(name) {
  const card = JSON.parse(snapshot(name)).attachments[0].content;
  const style = (background, accent) => ({
    backgroundColor: background,
    foregroundColors: { default: { default: "#242424", subtle: "#616161" }, accent: { default: accent, subtle: accent } },
  });
  const host = {
    fontFamily: "Segoe UI, Helvetica, Arial, sans-serif",
    spacing: { small: 4, default: 8, medium: 12, large: 16, extraLarge: 20, padding: 14 },
    fontSizes: { small: 12, default: 14, medium: 14, large: 17, extraLarge: 22 },
    containerStyles: {
      default: style("#ffffff", "#5b5fc7"),
      emphasis: style("#f0f0f0", "#5b5fc7"),
      attention: style("#fdf3f4", "#c4314b"),
      warning: style("#fbf6d9", "#835c00"),
      accent: style("#ebf3fc", "#5b5fc7"),
      good: style("#e7f2da", "#237b4b"),
    },
  };
  return `<!DOCTYPE html><meta charset="utf-8">
<style>body{margin:16px;background:#f5f5f5} .ac-pushButton{font:600 13px Segoe UI,Helvetica,Arial,sans-serif;padding:6px 14px;
border:1px solid #d1d1d1;border-radius:4px;background:#fff} #card{width:560px;border:1px solid #e0e0e0;border-radius:6px;
overflow:hidden} a{color:#5b5fc7}</style>
<div id="card"></div><script>${fs.readFileSync(renderer, "utf8")}</script>
<script>
const card = new AdaptiveCards.AdaptiveCard();
card.hostConfig = new AdaptiveCards.HostConfig(${JSON.stringify(host)});
card.parse(${JSON.stringify(card)});
document.getElementById("card").appendChild(card.render());
</script>`;
}

const folder = process.argv[2];
fs.mkdirSync(folder, { recursive: true });
for (const name of ["teams_triggered", "teams_resolved"]) {
  fs.writeFileSync(path.join(folder, `${name}.html`), cardPage(name));
}
for (const name of ["email_undelivered"]) {
  const text = snapshot(name);
  fs.writeFileSync(path.join(folder, `${name}.html`), text.slice(text.indexOf("<!DOCTYPE html>")));
}
