// One packet from hop to hop.
class Walk {
  constructor(scenario, moved) {
    this.scenario = scenario;
    this.moved = moved;
    this.title = html("h4", { tabindex: -1 });
    this.about = html("p", { class: "quiet" });
    this.way = html("ol", { class: "way", "aria-label": "The packet's way" });
    this.slider = html("input", {
      type: "range", min: 1, step: 1, "aria-label": "Hop", oninput: () => this.show(this.slider.valueAsNumber - 1),
    });
    const button = (text, act, title) => html("button", { type: "button", onclick: act, title }, text);
    this.back = button("◀ hop", () => this.step(-1), "left arrow");
    this.next = button("hop ▶", () => this.step(1), "right arrow");
    this.link = html("a", {}, "link to this hop");
    this.hop = html("div", { class: "hop-view" });
    this.said = html("p", { class: "where", "aria-live": "polite" });
    this.element = html("section", { class: "walk", "aria-label": `Walk of a packet of ${scenario.name}`, onkeydown: (e) => this.key(e) },
      this.title, this.about, this.way,
      html("div", { class: "controls" }, this.back, this.slider, this.next,
        button("previous packet", () => this.packetStep(-1), "shift and left arrow"),
        button("next packet", () => this.packetStep(1), "shift and right arrow"), this.link),
      this.said, this.hop,
      html("p", { class: "quiet keys" }, "Keys: left and right go from hop to hop, with Shift from packet to packet."));
  }

  // How many stops there are: hops, and the end of a way that ends before its time.
  get stops() { return this.packet.hops.length + (this.packet.end ? 1 : 0); }

  follow(packet, place) {
    this.packet = packet;
    const { hops, flows } = this.scenario, first = hops[packet.hops[0]];
    this.title.replaceChildren(`Packet of frame ${first.number}: `, html("bdi", {}, first.text));
    const often = packet.sendings > 1 ? `; sending ${packet.sending} of ${packet.sendings} of this packet` : "";
    this.about.textContent = `${flows[packet.flow]}, ${packet.isReply ? "back" : "forth"}${often}`;
    this.way.replaceChildren(...packet.hops.map((hop, i) => html("li", {},
      html("button", { type: "button", onclick: () => this.show(i) }, hopName(hops[hop])))));
    if (packet.end) {
      this.way.append(html("li", { class: "ends" }, html("button", {
        type: "button", onclick: () => this.show(packet.hops.length),
      }, `✕ ends at ${packet.end.node}`)));
    }
    this.slider.max = this.stops;
    this.show(Math.min(Math.max(place, 0), this.stops - 1));
  }

  show(place) {
    const { packet, scenario } = this, { hops } = scenario;
    this.place = place;
    [...this.way.children].forEach((item, i) => {
      const button = item.firstChild;
      if (i === place) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    this.slider.value = place + 1;
    this.back.disabled = place === 0;
    this.next.disabled = place === this.stops - 1;
    this.link.href = link(scenario, packet, place);
    const at = packet.hops[place];
    if (at === undefined) {
      this.slider.setAttribute("aria-valuetext", `end of the way at ${packet.end.node}`);
      this.end(packet.end);
    } else {
      const hop = hops[at], before = place > 0 ? hops[packet.hops[place - 1]] : null;
      const numbers = hop.arrived ? `frames ${hop.number} and ${hop.arrived}` : `frame ${hop.number}`;
      const devices = [hop.from && `leaves ${named(hop.from)}`, hop.to && `arrives at ${named(hop.to)}`];
      this.slider.setAttribute("aria-valuetext", `${place + 1} of ${this.stops}: ${hopName(hop)}`);
      this.said.textContent =
        `Hop ${place + 1} of ${packet.hops.length}: ${devices.filter(Boolean).join(", ")}; ${milliseconds(hop)}; ${numbers} of capture.pcapng`;
      this.hop.replaceChildren(boxes(scenario.frame(hop.frame), before && scenario.frame(before.frame)));
      const found = packet.causes.filter((it) => it.hop === at);
      this.hop.prepend(...found.map(({ cause }) => this.cause(cause)));
    }
    this.moved(packet, place);
  }

  end({ node, cause }) {
    this.said.textContent = `The way ends at ${node}.`;
    const sign = html("p", { class: "fallen", "aria-hidden": "true" }, "✕");
    const text = cause ? this.cause(cause)
      : html("p", {}, `It was sent by ${node} and seen at no other node. No cause that labsim knows was shown for this packet.`);
    this.hop.replaceChildren(sign, text);
  }

  cause(cause) {
    return html("div", { class: "cause" },
      html("p", {}, `Step ${cause.step}: ${cause.sentence} [${cause.code}]`),
      cause.counters.length > 0 && html("p", {}, `Counters${cause.node ? ` at ${cause.node}` : ""}: ${cause.counters.join("; ")}`),
      cause.fix && html("p", {}, `Fix: ${cause.fix}`));
  }

  step(by) {
    const place = this.place + by;
    if (place >= 0 && place < this.stops) this.show(place);
  }

  // To a packet of the same flow, in the order of time.
  packetStep(by) {
    const own = this.scenario.packets.filter(({ flow }) => flow === this.packet.flow);
    const packet = own[own.indexOf(this.packet) + by];
    if (packet) this.follow(packet, 0);
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey || event.target === this.slider && !event.shiftKey) return;
    event.preventDefault();
    if (event.shiftKey) this.packetStep(by);
    else this.step(by);
  }
}
