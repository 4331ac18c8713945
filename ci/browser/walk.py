"""What the script adds: the walk of a packet by mouse, keys and links, the filter, pages, themes."""

from support import LONGEST_TASK, SLOWER, Found, opened, traced

SHOWN = "section.explored"

# The page's policy refuses `wait_for_function`, which evaluates texts: locators wait instead.


def check(browser, folder, found: Found):
    """Checks the pages of the folder."""
    keys(browser, folder / "passed.html", found)
    link(browser, folder / "passed.html", found)
    themes(browser, folder / "passed.html", found)
    filters(browser, folder / "passed.html", found)
    without(browser, folder / "passed.html", found)
    configuration(browser, folder / "passed.html", found)
    death(browser, folder / "failed.html", found)
    texts(browser, folder / "folder.html", found)
    many(browser, folder / "logins.html", found)


def where_of(page):
    """The hop that the walk shows, such as `Hop 3 of 5`."""
    return page.locator(".walk .where").first.inner_text().split(":")[0]


def keys(browser, file, found: Found):
    """Left and right go from hop to hop, with Shift from packet to packet; what a hop changed is marked in
    words."""
    with opened(browser, file, found) as (page, where):
        page.wait_for_selector(SHOWN)
        walk = page.locator(".walk").first
        walk.locator(".way button").first.focus()
        expect = lambda hop: found.expect(where_of(page).startswith(hop), where, f"{where_of(page)}, not {hop}")
        expect("Hop 1 of 5")
        found.expect(walk.locator(".box .box .box").count() >= 1, where, "headers are not nested")
        page.keyboard.press("ArrowRight")
        expect("Hop 2 of 5")
        found.expect("TTL127 was 128" in walk.inner_text().replace("\n", ""), where, "no change of the TTL")
        page.keyboard.press("ArrowRight")
        expect("Hop 3 of 5")
        found.expect("new on this hop" in walk.inner_text(), where, "the tunnel's header is not marked as new")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect("Hop 5 of 5")
        gone = "Taken off since the hop before: "
        found.expect(gone in walk.inner_text(), where, "the header that was taken off is not named")
        page.keyboard.press("ArrowRight")
        expect("Hop 5 of 5")
        page.keyboard.press("ArrowLeft")
        expect("Hop 4 of 5")
        title = walk.locator("h4").inner_text()
        page.keyboard.press("Shift+ArrowRight")
        expect("Hop 1 of")
        found.expect(walk.locator("h4").inner_text() != title, where, "Shift does not change the packet")
        slider = walk.locator("input[type=range]")
        slider.focus()
        page.keyboard.press("End")
        number = slider.get_attribute("max")
        expect(f"Hop {number} of {number}")
        found.count("keys", 9)


def link(browser, file, found: Found):
    """A link to a hop leads there, also after the page is loaded again; a wrong one does no harm."""
    with opened(browser, file, found) as (page, where):
        page.wait_for_selector(SHOWN)
        page.locator(".walk .way button").nth(2).click()
        address = page.url
        found.expect("#tacacs-ipip/" in address and address.endswith("/3"), where, f"the address is {address}")
        page.reload()
        page.locator(".walk .where", has_text="Hop 3 of").wait_for()
        found.expect(page.url == address, where, f"the address became {page.url}")
        # The packet of a frame in the ladder, by its link.
        page.locator("svg.ladder a").last.focus()
        page.keyboard.press("Enter")
        page.locator(".walk h4:focus").wait_for()
        found.count("links", 2)
    for wrong in ("#tacacs-ipip/999999/1", "#tacacs-ipip/9/999", "#%", "#nowhere/1/1", "#tacacs-ipip/x/y"):
        with opened(browser, file, found, fragment=wrong) as (page, where):
            page.wait_for_selector(".walk .box")
            found.count("links")


def themes(browser, file, found: Found):
    """A chosen theme wins over the system's, and is kept."""
    ground = "getComputedStyle(document.body).backgroundColor"
    for system, other in (("light", "dark"), ("dark", "light")):
        with opened(browser, file, found, theme=system) as (page, where):
            before = page.evaluate(ground)
            page.get_by_label("Theme").select_option(other)
            after = page.evaluate(ground)
            found.expect(before != after, where, f"the ground stays {after} with the theme {other}")
            page.reload()
            found.expect(page.evaluate(ground) == after, where, "the theme is lost by a reload")
            page.get_by_label("Theme").select_option("auto")
            found.expect(page.evaluate(ground) == before, where, "the system's theme does not come back")
            found.count("themes", 3)


def filters(browser, file, found: Found):
    """Each part of the filter leaves fewer frames, and says so."""
    with opened(browser, file, found) as (page, where):
        page.wait_for_selector(SHOWN)
        rows = page.locator(".explorer svg.ladder a")
        page.get_by_label("Flow").select_option("")
        everything = rows.count()
        for label, value in (("Flow", "0"), ("Node", "1"), ("Step", "0")):
            page.get_by_label(label, exact=True).select_option(value)
            found.expect(0 < rows.count() <= everything, where, f"{label}: {rows.count()} of {everything}")
            page.get_by_label(label, exact=True).select_option("")
        page.get_by_label("Text").fill("syn, ttl 12")
        found.expect(0 < rows.count() < everything, where, f"text: {rows.count()} of {everything}")
        page.get_by_label("Text").fill("no packet says this")
        found.expect(rows.count() == 0, where, "a text that is nowhere leaves frames")
        said = page.get_by_text("No frame passes the filter.")
        found.expect(said.is_visible(), where, "nothing is said of an empty ladder")
        found.count("filters", 5)


def without(browser, file, found: Found):
    """Without a script nothing of the script's is shown."""
    with opened(browser, file, found, java_script_enabled=False) as (page, where):
        for what in (".explorer", ".walk", ".tools"):
            shown = [one for one in page.locator(what).all() if one.is_visible()]
            found.expect(not shown, where, f"{what} is shown without a script")


def death(browser, file, found: Found):
    """Of a packet that was dropped, the walk is there as the page opens; one click tells where it died, and
    why."""
    with opened(browser, file, found) as (page, where):
        page.wait_for_selector(SHOWN)
        page.locator(".way .ends button").first.click()
        text = page.locator(".walk").first.inner_text()
        for told in ("The way ends at rs", "vip-missing", "IpInAddrErrors", "Fix: "):
            found.expect(told in text, where, f"`{told}` is not told of the packet that was dropped")
            found.count("deaths")


def configuration(browser, file, found: Found):
    """What was run can be read, without secrets."""
    with opened(browser, file, found) as (page, where):
        page.locator(SHOWN).first.wait_for()
        part = page.locator(f"{SHOWN} details", has_text="Configuration as merged").last
        part.locator("summary").last.click()
        text = part.locator("pre").last.inner_text()
        found.expect("vip: 172.16.4.99" in text, where, "no VIP in the configuration")
        found.expect("indigo" not in page.content(), where, "a password is in the page")
        found.count("configurations")


def texts(browser, file, found: Found):
    """Markup in a login's name is text in the bytes of a packet too."""
    with opened(browser, file, found) as (page, where):
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
        page.locator(SHOWN).nth(3).wait_for()
        found.expect(page.locator("img").count() == 0, where, "a login's name became an element")
        scripts = page.locator("script:not([type])").count()
        found.expect(scripts == 1, where, f"{scripts} scripts run in the page")


def many(browser, file, found: Found):
    """Three hundred logins: no task is long, and a ladder has no more than a page of frames."""
    with opened(browser, file, found) as (page, where):
        page.wait_for_selector(SHOWN)
        with traced(browser, page) as trace:
            page.get_by_label("Flow").select_option("")
            page.get_by_label("Text").fill("fin")
            page.get_by_label("Text").fill("")
            page.get_by_label("only ways that end early").check()
            page.get_by_label("only ways that end early").uncheck()
            for _ in range(3):
                page.get_by_role("button", name="later frames").first.click()
            rows = page.locator(".explorer svg.ladder a").count()
            found.expect(0 < rows <= 50, where, f"{rows} frames are drawn at once")
            page.locator(".explorer svg.ladder a").nth(20).press("Enter")
            page.wait_for_timeout(300)
        longest = trace[0]
        found.expect(longest <= SLOWER * LONGEST_TASK, where, f"a task takes {longest:.0f} ms")
        found.count("tasks of many logins")
