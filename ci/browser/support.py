"""What all checks of pages need: an open page, and a list of what is wrong."""

import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

WIDE, NARROW = 1280, 360
THEMES = ("light", "dark")
# Bars in milliseconds: the first view, and a task that blocks whoever reads. They are for one machine; on
# another, which may be half as fast, twice as long is still no fault of the page.
FIRST_VIEW, LONGEST_TASK = 1000, 200
SLOWER = 2


@dataclass
class Found:
    """What is wrong with the pages, a line each, and how much was looked at."""

    problems: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def expect(self, holds, where, message):
        """Adds a problem unless `holds`."""
        if not holds:
            self.problems.append(f"{where}: {message}")

    def count(self, what, number=1):
        """Adds to the number of things that were looked at, which a check that sees nothing leaves at 0."""
        self.counts[what] = self.counts.get(what, 0) + number


@contextmanager
def opened(browser, file: Path, found: Found, fragment="", theme="light", width=WIDE, **options):
    """A page from file://, in a profile of its own. Any request but the one for the file, and anything in the
    console, is a problem."""
    where = f"{file.name}{fragment} ({theme}, {width} px)"
    url = file.as_uri()
    context = browser.new_context(
        color_scheme=theme, viewport={"width": width, "height": 800}, **options
    )
    page = context.new_page()
    requests, said = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(url + fragment)
    try:
        yield page, where
        found.count("requests", len(requests))
        others = [one for one in requests if one.split("#")[0] != url]
        found.expect(not others, where, f"requests something: {others}")
        found.expect(said == [], where, f"the console says: {said}")
    finally:
        context.close()


def open_all(page):
    """Opens every part that is closed."""
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")


@contextmanager
def traced(browser, page):
    """Traces the page; the list that it gives has the longest task of the thread that serves the user, and the
    number of tasks, in the end. Milliseconds of processor time, which other work on the machine does not
    lengthen."""
    result = []
    browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
    yield result
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {
        (one["pid"], one["tid"])
        for one in events
        if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        one["tdur"] / 1000
        for one in events
        if one["name"] == "RunTask" and "tdur" in one and (one["pid"], one["tid"]) in threads
    ]
    result.extend([max(tasks, default=math.inf), len(tasks)])
