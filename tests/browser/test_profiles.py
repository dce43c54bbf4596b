"""A profile that is lent again is as empty as a new one."""


def test_nothing_of_one_visitor_is_left_for_the_next(browser, app_url):
    first = browser.new_context(viewport={"width": 500, "height": 400}, color_scheme="dark")
    page = first.new_page()
    page.goto(app_url)
    page.evaluate("""() => {
        document.cookie = "a=b; max-age=1000"; localStorage.a = sessionStorage.a = "b";
        return new Promise((done) => { indexedDB.open("a").onsuccess = done; });
    }""")
    first.close()
    second = browser.new_context()
    assert second is first, "what this test is about"
    page = second.new_page()
    page.goto(f"{app_url}/config")  # of the same origin, without a script that keeps anything
    assert page.evaluate(
        """async () => [document.cookie, localStorage.length, sessionStorage.length, (await indexedDB.databases()).length]"""
    ) == ["", 0, 0, 0]
    assert page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [1280, False]
    second.close()


def test_two_visitors_at_once_are_strangers(browser, app_url):
    one, other = browser.new_context(), browser.new_context()
    pages = [profile.new_page() for profile in (one, other)]
    for page in pages:
        page.goto(f"{app_url}/config")
    pages[0].evaluate("localStorage.a = 'b'")
    assert pages[1].evaluate("localStorage.length") == 0
    for profile in (one, other):
        profile.close()
