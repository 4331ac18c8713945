// The page: explorers are made when their scenario is opened; links, and themes.
const explorers = new Map();

// Of a page of many scenarios; else they are in the page.
const packedConfigurations = document.getElementById("configurations");
let configurations = null;
const configure = async (section, details) => {
  if (!packedConfigurations || section.querySelector(".configuration")) return;
  configurations ??= unpack(JSON.parse(packedConfigurations.textContent))
    .then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  const { title, [section.id]: yaml } = await configurations;
  if (!yaml || section.querySelector(".configuration")) return;
  details.append(html("details", { class: "configuration" },
    html("summary", {}, title), html("pre", {}, yaml)));
};

const explorer = (section) => {
  if (!explorers.has(section.id)) {
    const place = section.querySelector(".explorer");
    const isThere = place && document.getElementById(`${section.id}-data`);
    explorers.set(section.id, !isThere ? Promise.resolve(null) : load(section.id).then((scenario) => {
      if (!scenario.packets.length) return null;
      const made = new Explorer(scenario, place);
      section.classList.add("explored");
      made.follow(made.first, 0);
      made.onmove = (packet, hop) => {
        // A browser may refuse it to a key that is held down.
        try { history.replaceState(null, "", link(scenario, packet, hop)); } catch { /* The next one. */ }
      };
      return made;
    }));
  }
  return explorers.get(section.id);
};

const sections = [...document.querySelectorAll("main > section")];
const sectionOf = new Map();
sections.forEach((section) => {
  sectionOf.set(section.dataset.name, section);
  const details = section.querySelector(":scope > details");
  if (!details) return;
  const open = () => {
    explorer(section);
    configure(section, details);
  };
  details.addEventListener("toggle", () => details.open && open());
  if (details.open) open();
});

// `#scenario/packet/hop`, or `#scenario`.
const openLink = async () => {
  let parts;
  try { parts = location.hash.slice(1).split("/").map(decodeURIComponent); } catch { return; }
  const section = sectionOf.get(parts[0]) ?? sections.find(({ id }) => id === parts[0]);
  if (!section) return;
  const details = section.querySelector(":scope > details");
  if (details) details.open = true;
  const made = await explorer(section);
  if (parts.length < 2 || !made) return section.scrollIntoView();
  const hop = made.scenario.hopOf.get(+parts[1]), packet = made.scenario.packetOf.get(hop);
  if (!packet) return section.scrollIntoView();
  made.follow(packet, (+parts[2] || 1) - 1);
  made.walk.element.scrollIntoView();
  made.walk.title.focus({ preventScroll: true });
};
addEventListener("hashchange", openLink);
openLink();

// The rules for a dark screen are switched on or off as they stand.
const dark = [];
for (const sheet of document.styleSheets) {
  for (const rule of sheet.cssRules) {
    if (rule.media?.mediaText.includes("prefers-color-scheme")) dark.push([rule.media, rule.media.mediaText]);
  }
}
const theme = (name) => {
  dark.forEach(([media, text]) => (media.mediaText = { light: "not all", dark: "screen" }[name] ?? text));
  document.documentElement.style.colorScheme = name === "auto" ? "" : name;
};
// A browser may refuse to keep anything for a file.
const kept = (name) => {
  try {
    if (name) localStorage.setItem("labsim-theme", name);
    return localStorage.getItem("labsim-theme");
  } catch { return null; }
};
const themes = html("select", { onchange: () => { theme(themes.value); kept(themes.value); } },
  ["auto", "light", "dark"].map((name) => html("option", {}, name)));
themes.value = ["light", "dark"].find((name) => name === kept()) ?? "auto";
theme(themes.value);
document.querySelector("main").prepend(html("div", { class: "tools" }, labelled("Theme", themes)));
