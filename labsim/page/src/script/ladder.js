// A ladder of hops, drawn as the static ones are; a row is a link to the walk.
const STEP = 120, FIRST = 170, ROW = 24, HEAD = 40;

const cut = (name) => ([...name].length > 15 ? `${[...name].slice(0, 14).join("")}…` : name);

const ladder = (scenario, rows, current) => {
  const used = new Set(rows.flatMap(({ hop: { from, to } }) => [from?.node, to?.node]));
  const columns = scenario.nodes.filter((node) => used.has(node));
  const x = (point) => FIRST + columns.indexOf(point.node) * STEP;
  const beside = FIRST + columns.length * STEP - STEP / 4;
  const longest = Math.max(0, ...rows.map(({ hop }) => hop.text.length));
  const width = Math.ceil(beside + longest * 7.5 + 20), height = HEAD + rows.length * ROW + 16;
  const picture = svg("svg", {
    class: "ladder", role: "group", "aria-label": "Ladder: a column for each node, a link for each frame",
    width, height, viewBox: `0 0 ${width} ${height}`,
  });
  columns.forEach((node, i) => picture.append(
    svg("path", { class: "line", d: `M${FIRST + i * STEP} ${HEAD - 8}V${height - 8}` }),
    svg("text", { class: "head", x: FIRST + i * STEP, y: 20, "text-anchor": "middle" }, cut(node)),
  ));
  rows.forEach(({ hop, place, packet }, i) => {
    const y = HEAD + i * ROW + ROW / 2;
    const index = packet.hops.indexOf(place);
    const isEnd = packet.end?.cause && index === packet.hops.length - 1;
    const where = `${named(hop.from)} to ${named(hop.to) || "nobody"}`;
    const row = svg("a", {
      href: link(scenario, packet, index), class: packet === current ? "of" : "",
      "aria-label": `Follow frame ${hop.number}: ${where}: ${hop.text}${isEnd ? "; its way ends here" : ""}`,
    });
    row.append(
      svg("rect", { class: "target", x: 0, y: y - ROW / 2, width, height: ROW }),
      svg("text", { class: "number", x: 4, y: y + 4 }, `${hop.number} `,
        svg("tspan", {}, milliseconds(hop))));
    const tunnel = hop.text.includes("[") ? "hop tunnelled" : "hop";
    if (hop.from && hop.to) {
      const [from, to] = [x(hop.from), x(hop.to)];
      row.append(svg("path", { class: tunnel, d: `M${from} ${y}H${to}M${to} ${y}l${from < to ? -8 : 8}-5v10z` }));
    } else if (hop.from?.isWire) {
      const from = x(hop.from), end = from + STEP / 3;
      row.append(svg("path", { class: "drop", d: `M${from} ${y}H${end}` }),
        svg("text", { class: "lost", x: end, y: y + 4 }, "x"));
    } else {
      const point = hop.from ?? hop.to;
      row.append(svg("circle", { class: "tip", cx: x(point), cy: y, r: 4 }),
        svg("text", { class: "quiet", x: x(point) + 8, y: y + 4 }, point.device));
    }
    if (isEnd) {
      const at = x(hop.to ?? hop.from);
      row.append(svg("path", { class: "cross", d: `M${at - 6} ${y - 6}l12 12m0-12l-12 12` }));
    }
    row.append(svg("text", { x: beside, y: y + 4 }, hop.text));
    picture.append(row);
  });
  return html("div", { class: "wide", tabindex: 0, role: "region", "aria-label": `Ladder of ${scenario.name}` }, picture);
};
