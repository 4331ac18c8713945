"""What every page must be, with its script or without: nothing requested, nothing that axe or the eye finds,
at any width, in both themes and on paper."""

import math
import re

from axe_playwright_python.sync_playwright import Axe
from support import FIRST_VIEW, LONGEST_TASK, SLOWER, THEMES, Found, open_all, opened, traced

# A4 without margins of 1 cm, at 96 dots per inch.
PAPER = 718

# Every focusable element that is shown.
FOCUSABLE = """() => [...document.querySelectorAll(
    'a[href],button,input,select,textarea,summary,[tabindex]:not([tabindex^="-"])')]
    .filter(one => !one.disabled && one.checkVisibility())"""

# Texts of pictures with less contrast than 4.5 to what is drawn below them, which axe does not measure.
POOR_TEXTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const channels = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b]
    .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const below = (text, svg) => {
    const box = text.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    let ground = null;
    for (const shape of svg.querySelectorAll('rect,text')) {
      if (shape === text) break;
      if (shape.tagName !== 'rect') continue;
      const {left, right, top, bottom} = shape.getBoundingClientRect();
      const fill = getComputedStyle(shape).fill;
      if (left <= x && x <= right && top <= y && y <= bottom && fill !== 'none') ground = fill;
    }
    return channels(ground ?? getComputedStyle(document.body).backgroundColor);
  };
  const poor = [];
  let seen = 0;
  for (const svg of document.querySelectorAll('svg')) {
    for (const text of [...svg.querySelectorAll('text')].slice(0, 200)) {
      seen += 1;
      const [a, b] = [channels(getComputedStyle(text).fill), below(text, svg)].map(luminance);
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) poor.push(`${text.textContent}: ${contrast.toFixed(2)}`);
    }
  }
  return [seen, poor];
}"""

# Milliseconds to the first view, and some more for what happens after it.
PAINT = """async () => {
  const paint = await new Promise(done => {
    new PerformanceObserver(list => {
      for (const one of list.getEntriesByName('first-contentful-paint')) done(one.startTime);
    }).observe({type: 'paint', buffered: true});
    setTimeout(() => done(Infinity), 5000);
  });
  await new Promise(done => setTimeout(done, 200));
  return paint;
}"""


def check(browser, file, found: Found, views):
    """Checks a page. `views` are the pairs of theme and width at which axe looks at it."""
    for theme, width in views:
        look(browser, file, found, theme, width)
    without_script(browser, file, found)
    focus(browser, file, found)
    paper(browser, file, found)


def look(browser, file, found: Found, theme, width):
    """Axe, contrast in pictures and the width, first as the page opens and then with every part open."""
    with opened(browser, file, found, theme=theme, width=width) as (page, where):
        if page.locator("details:not([open])").count():
            fits(page, found, where)
        open_all(page)
        fits(page, found, f"{where}, all open")
        result = Axe().run(page)
        found.count("axe")
        found.expect(result.violations_count == 0, where, f"axe: {result.generate_report()}")
        seen, poor = page.evaluate(POOR_TEXTS)
        found.count("texts of pictures", seen)
        found.expect(poor == [], where, f"poor contrast in pictures: {poor[:5]}")


def fits(page, found: Found, where):
    """Only parts of the page may be scrolled sideways, not the page."""
    has, shown = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    found.expect(has <= shown, where, f"the body is {has} px wide in a view of {shown} px")


def without_script(browser, file, found: Found):
    """Verdict, picture and ladder are there without JavaScript."""
    with opened(browser, file, found, java_script_enabled=False) as (page, where):
        readable(page, found, f"{where}, JavaScript off")


def readable(page, found: Found, where):
    """The verdict, and of the first scenario a picture and a ladder, are shown."""
    title = page.locator("h1").inner_text()
    found.expect(re.search(r"PASS|FAIL", title), where, f"no verdict in the title: {title}")
    section = page.locator("main section").filter(has=page.locator("svg.lab")).first
    if section.locator("> details:not([open])").count():
        # Without a script, by the browser alone.
        section.locator("> details > summary").click()
    for what in ("svg.lab", "svg.ladder"):
        shown = [one for one in section.locator(what).all() if one.is_visible()]
        found.expect(shown, where, f"no {what} is shown")
        found.count(f"{what} shown", len(shown))
    found.expect(
        section.get_by_text(re.compile("^(What was proved|Step .*: )")).first.is_visible(),
        where,
        "neither what was proved nor a cause is shown",
    )


def focus(browser, file, found: Found):
    """The tabulator reaches everything that can be operated, and one sees where it is."""
    with opened(browser, file, found) as (page, where):
        # The script puts its own ladder in the place of the static one.
        if page.locator("section > details[open] .explorer").count():
            page.locator("section.explored").first.wait_for(state="attached")
        page.evaluate(f"window.expected = ({FOCUSABLE})(); window.missed = new Set(expected)")
        count = page.evaluate("expected.length")
        for _ in range(count):
            page.keyboard.press("Tab")
            invisible = page.evaluate(
                """() => {
                  const one = document.activeElement, style = getComputedStyle(one);
                  missed.delete(one);
                  const isRing = style.outlineStyle === 'auto'
                    || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
                  if (one === document.body || isRing && one.matches(':focus-visible')) return null;
                  return one.outerHTML.slice(0, 120);
                }"""
            )
            found.expect(invisible is None, where, f"focus is not visible at {invisible}")
        missed = page.evaluate("[...missed].map(one => one.outerHTML.slice(0, 120))")
        found.expect(missed == [], where, f"the tabulator does not reach {missed[:5]}")
        found.count("focused", count)


def paper(browser, file, found: Found):
    """On paper, verdict, picture and ladder are whole, and dark on white in either theme."""
    for theme in THEMES:
        with opened(browser, file, found, theme=theme, width=PAPER) as (page, where):
            where = f"{where}, printed"
            page.emulate_media(media="print")
            readable(page, found, where)
            cut = page.evaluate(
                """width => [...document.querySelectorAll('svg,table,pre')]
                  .filter(one => one.checkVisibility() && one.getBoundingClientRect().right > width + 1)
                  .map(one => one.outerHTML.slice(0, 60))""",
                PAPER,
            )
            found.expect(cut == [], where, f"cut at the edge of the paper: {cut[:3]}")
            colour = page.evaluate("getComputedStyle(document.body).color")
            light = sum(map(int, re.findall(r"\d+", colour)[:3])) > 3 * 127
            found.expect(not light, where, f"text is printed in {colour}")


def timing(browser, file, found: Found):
    """How long the page takes, in milliseconds: to its first view, and its longest task; the best of up to
    three, as the first view is not in processor time."""
    first = longest = math.inf
    for _ in range(3):
        context = browser.new_context()
        page = context.new_page()
        with traced(browser, page) as trace:
            page.goto(file.as_uri())
            paint = page.evaluate(PAINT)
        context.close()
        task, number = trace
        found.count("tasks", number)
        first, longest = min(first, paint), min(longest, task)
        if first < FIRST_VIEW and longest <= LONGEST_TASK:
            break
    found.expect(first < SLOWER * FIRST_VIEW, file.name, f"the first view takes {first:.0f} ms")
    found.expect(longest <= SLOWER * LONGEST_TASK, file.name, f"a task takes {longest:.0f} ms")
    return first, longest
