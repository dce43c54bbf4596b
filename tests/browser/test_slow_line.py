"""A slow line. The framework's page loses an answer that it asks for while the server closes the stream of an earlier one."""

from __future__ import annotations

from conftest import serving_here
from visitor import FIGURES, FRAMES

from gan.studio.tabs.base import Tab

# All that the stream brings comes half a second late, and the second request as late, when the first has been answered.
SLOW_LINE = """
const quick = window.fetch, later = () => new Promise((done) => setTimeout(done, 500));
window.asked = 0;
window.fetch = async (...given) => {
  const url = given[0].url ?? String(given[0]);
  if (url.includes("queue/join") && ++window.asked === 2) await later();
  const answer = await quick(...given);
  if (!url.includes("queue/data") || !answer.body) return answer;
  const slow = new TransformStream({ async transform(chunk, out) { await later(); out.enqueue(chunk); } });
  return new Response(answer.body.pipeThrough(slow), { status: answer.status, headers: answer.headers });
};
"""


def test_the_page_asks_for_each_tab_once(newcomer, app_url):
    visitor = newcomer(app_url)
    visitor.page.add_init_script(SLOW_LINE)
    visitor.open("?tab=interpolate&from-seed=1&to-seed=2&steps=3", tab="interpolate")
    for tab, picture, asked in (("Generate", FIGURES, 2), ("Interpolate", FRAMES, 2)):
        visitor.page.get_by_role("tab", name=tab).click()
        visitor.page.wait_for_selector(picture)
        visitor.until("tab", tab.lower())
        assert visitor.page.evaluate("window.asked") == asked


def test_a_stage_that_was_opened_without_pictures_asks_for_them(newcomer, model_folder, monkeypatch):
    monkeypatch.setattr(Tab, "link_value", lambda *_: {})  # as if the framework had lost the value
    with serving_here(model_folder) as url:
        visitor = newcomer(url).open("?tab=interpolate&from-seed=1&to-seed=2&steps=3", tab="interpolate")
        assert visitor.query().items() >= {"tab": "interpolate", "from-seed": "1", "steps": "3"}.items()
