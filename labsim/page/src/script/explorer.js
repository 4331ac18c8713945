// The packets of a scenario: a filter, a ladder in pages, and the walk.
const PAGE = 50;

class Explorer {
  constructor(scenario, place) {
    this.scenario = scenario;
    this.page = 0;
    this.walk = new Walk(scenario, (packet, hop) => this.moved(packet, hop));
    const changed = () => { this.page = 0; this.draw(); };
    const choice = (label, names, all) => {
      const select = html("select", { onchange: changed }, html("option", { value: "" }, all),
        names.map((name, i) => html("option", { value: i }, name)));
      return { select, label: labelled(label, select) };
    };
    const used = new Set(scenario.hops.flatMap(({ from, to }) => [from?.node, to?.node]));
    this.nodes = scenario.nodes.filter((node) => used.has(node));
    const count = scenario.flows.map(() => 0);
    scenario.packets.forEach(({ flow }) => count[flow]++);
    this.flow = choice("Flow", scenario.flows.map((name, i) => `${name} (${count[i] === 1 ? "1 packet" : `${count[i]} packets`})`), "all flows");
    this.node = choice("Node", this.nodes, "all nodes");
    this.step = choice("Step", scenario.steps.map(({ name }) => name), "all steps");
    this.text = html("input", { type: "search", oninput: changed, spellcheck: "false" });
    this.lost = html("input", { type: "checkbox", onchange: changed });
    this.count = html("p", { class: "quiet", "aria-live": "polite" });
    const turn = (by) => () => { this.page += by; this.draw(); };
    this.before = html("button", { type: "button", onclick: turn(-1) }, "earlier frames");
    this.after = html("button", { type: "button", onclick: turn(1) }, "later frames");
    this.rows = html("div", {});
    place.append(this.walk.element,
      html("form", { class: "filter", "aria-label": `Filter of packets of ${scenario.name}`, onsubmit: (e) => e.preventDefault() },
        this.flow.label, this.node.label, this.step.label, labelled("Text", this.text),
        labelled("only ways that end early", this.lost)),
      this.count, this.rows,
      html("div", { class: "controls" }, this.before, this.after));
    place.hidden = false;
  }

  // The packet that a reader wants to see first: one with a cause, or else the first.
  get first() {
    const { packets } = this.scenario;
    return packets.find(({ end }) => end?.cause) ?? packets.find(({ causes }) => causes.length) ?? packets[0];
  }

  follow(packet, hop) {
    if (!packet) return;
    if (this.flow.select.value !== "" && +this.flow.select.value !== packet.flow || !this.drawn) {
      this.flow.select.value = `${packet.flow}`;
    }
    this.walk.follow(packet, hop);
    this.reveal(packet);
  }

  // Turns to the page of the ladder that has the packet.
  reveal(packet) {
    const place = this.filtered().findIndex((row) => row.packet === packet);
    this.page = Math.max(0, Math.floor(place / PAGE));
    this.draw();
  }

  moved(packet, hop) {
    if (this.onmove) this.onmove(packet, hop);
    if (this.drawn && this.drawn !== packet) this.reveal(packet);
  }

  filtered() {
    const { scenario } = this, { hops } = scenario;
    const flow = this.flow.select.value, node = this.nodes[this.node.select.value || -1];
    const step = scenario.steps[this.step.select.value || -1];
    const text = this.text.value.trim().toLowerCase();
    const passes = (packet) => {
      if (flow !== "" && packet.flow !== +flow || this.lost.checked && !packet.end) return false;
      const way = packet.hops.map((hop) => hops[hop]);
      if (node && !way.some(({ from, to }) => from?.node === node || to?.node === node)) return false;
      const time = scenario.began + way[0].time;
      if (step && (time < step.from || step.to && time > step.to)) return false;
      return !text || scenario.flows[packet.flow].toLowerCase().includes(text)
        || way.some((hop) => `${hop.number} ${named(hop.from)} ${named(hop.to)} ${hop.text}`.toLowerCase().includes(text));
    };
    const rows = [];
    scenario.packets.filter(passes).forEach((packet) =>
      packet.hops.forEach((place) => rows.push({ place, packet, hop: hops[place] })));
    return rows.sort((a, b) => a.place - b.place);
  }

  draw() {
    this.drawn = this.walk.packet ?? true;
    const rows = this.filtered();
    this.page = Math.min(this.page, Math.max(0, Math.ceil(rows.length / PAGE) - 1));
    const from = this.page * PAGE, shown = rows.slice(from, from + PAGE);
    const left = this.scenario.left ? ` (${this.scenario.left} later ones are only in capture.pcapng)` : "";
    this.count.textContent = rows.length === 0 ? "No frame passes the filter."
      : `Frames ${from + 1} to ${from + shown.length} of ${rows.length} that were sent${left}. Choose one to follow its packet.`;
    this.rows.replaceChildren(...(shown.length ? [ladder(this.scenario, shown, this.walk.packet)] : []));
    this.before.disabled = from === 0;
    this.after.disabled = from + PAGE >= rows.length;
    this.before.parentNode.hidden = rows.length <= PAGE;
  }
}
