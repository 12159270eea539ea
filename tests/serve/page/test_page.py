"""The page in a real browser against a real server: typed into, read, driven by keyboard, attacked."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install -e '.[dev]'")
pytest.importorskip("uvicorn", reason="uvicorn is missing: pip install -e '.[dev]'")

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, CHROMIUMS)), reason="no chromium on the PATH: apt-get install chromium"
)
LIMIT = 20_000
"""Characters that the server of `conftest.py` accepts."""
# Invented articles.
ARTICLE = (
    "BRONDAL (MNA) - The minister stressed on Tuesday that friendly cooperation with 12 nations would be "
    "deepened on the basis of mutual respect and sovereignty, and thanked the leadership for its guidance.\n"
    "\U0001f600 Critics said they had concerns about the price of it. \u201cWe were never asked,\u201d "
    "said Ada Quill, who grows onions near the river. It is unclear whether the auditors will publish what "
    "they found before the election in June, and the ministry declined to comment when asked on Monday."
)
HOSTILE = (
    "<script>window.attacked = 1</script> said <img src=x onerror=\"window.attacked = 1\"> & the 'minister' "
    '</p></article><b style="position:fixed">stressed</b> <a href="javascript:attacked=1">cooperation</a>'
)
CONTRAST = """
(selector) => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const node = document.querySelector(selector);
  const background = (element) => getComputedStyle(element).backgroundColor;
  let behind = node;
  const clear = (colour) => /, 0\\)|transparent/.test(colour);
  while (behind !== document.body && clear(background(behind))) behind = behind.parentElement;
  const pair = [getComputedStyle(node).color, background(behind)];
  const [a, b] = pair.map((colour) => luminance(numbers(colour))).sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
"""


def submit(page: Any, text: str, title: str = "") -> dict[str, Any]:
    """Fill the form and send it; what the server answered."""
    page.fill("#title", title)
    page.fill("#text", text)
    with page.expect_response("**/v1/explain") as response:
        page.click("#submit")
    page.wait_for_selector("#result:not([hidden])")
    return response.value.json()


def percent(share: float) -> str:
    return f"{int(share * 100 + 0.5)} %"


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_an_article_is_typed_submitted_and_read(open_page) -> None:
    page = open_page()
    answer = submit(page, ARTICLE, "A canal is late")
    prediction = answer["prediction"]
    verdicts = {"state": "state-controlled", "independent": "independent", "abstain": "Better not to say"}
    assert verdicts[prediction["label"]] in page.inner_text("#verdict")
    assert page.text_content("#scale .value") == percent(prediction["p_state"])
    assert percent(prediction["p_state"]) in page.inner_text("#status")
    assert page.evaluate("document.activeElement.id") == "verdict"
    assert page.inner_text("#article .headline") == "A canal is late"
    assert squeeze(page.inner_text("#article")) == squeeze(answer["text"])
    assert page.locator("#checks li").count() == len(answer["checks"])
    for check in answer["checks"]:
        assert check["detail"] in page.inner_text("#checks")
    assert squeeze(answer["masked"][0]) in squeeze(page.inner_text("#unread .chips"))
    assert answer["removed"][0]["text"] in page.inner_text("#unread dl")
    shown = page.locator("#sum tr.total .number").inner_text().replace("\u2212", "-")
    assert float(shown) == pytest.approx(prediction["score"], abs=0.006)


def test_the_marks_stand_on_the_words_that_weigh(open_page) -> None:
    """Offsets are in characters; an emoji is one, but two in the browser's strings."""
    page = open_page()
    answer = submit(page, ARTICLE)
    words = {answer["text"][w["start"] : w["stop"]] for w in answer["words"]}
    marks = page.locator("#article mark")
    assert marks.count() > 5
    assert set(marks.all_inner_texts()) <= words
    quoted = {answer["text"][a:b] for a, b in answer["quoted"]}
    assert set(page.locator("#article q").all_inner_texts()) == quoted
    strongest = max(answer["words"], key=lambda w: abs(w["contribution"]))
    surface = answer["text"][strongest["start"] : strongest["stop"]]
    side = "s" if strongest["contribution"] > 0 else "i"
    assert surface in page.locator(f"#article mark.{side}.l4").all_inner_texts()


def test_the_marks_are_told_apart_without_colour(open_page) -> None:
    page = open_page()
    submit(page, ARTICLE)
    style = "(node) => getComputedStyle(node).textDecorationStyle"
    assert page.locator("#article mark.s").first.evaluate(style) == "solid"
    assert page.locator("#article mark.i").first.evaluate(style) == "dotted"
    legend = page.inner_text(".legend")
    assert "solid line" in legend
    assert "dotted line" in legend


def test_the_heaviest_sentences_lead_to_the_article(open_page) -> None:
    page = open_page()
    answer = submit(page, ARTICLE)
    by_weight = sorted(answer["sentences"], key=lambda s: -abs(s["contribution"]))
    button = page.locator("#sentences button").first
    expected = answer["text"][by_weight[0]["start"] : by_weight[0]["stop"]]
    assert squeeze(button.locator(".words").inner_text()) == squeeze(expected)
    assert ("state" if by_weight[0]["contribution"] > 0 else "independent") in button.inner_text()
    button.focus()
    page.keyboard.press("Enter")
    focused = page.evaluate("[document.activeElement.className, document.activeElement.textContent]")
    assert focused[0] == "sentence found"
    assert squeeze(focused[1]) == squeeze(expected)


def test_the_figures_are_the_models_own(open_page, address: str) -> None:
    page = open_page()
    protocols = page.evaluate("fetch('/v1/model').then((r) => r.json())")["metrics"]["protocols"]
    unseen, random = protocols["owner_disjoint"], protocols["random"]
    shown = page.inner_text("#figures")
    for value in (
        unseen["macro_f1"],
        *unseen["ci95"],
        unseen["roc_auc"],
        random["macro_f1"],
        random["roc_auc"],
    ):
        assert f"{value:.2f}" in shown
    wrong = round(unseen["false_state_rate_nonwest"] * 100)
    assert f"{wrong} in 100" in shown
    assert page.locator("#figures .wrong").count() == wrong


def test_what_is_too_short_abstains_in_plain_words(open_page) -> None:
    page = open_page()
    answer = submit(page, "The minister stressed cooperation.")
    assert page.inner_text("#verdict") == "Better not to say"
    why = page.inner_text("#verdict-why")
    assert "too little text" in why
    assert f"Forced to choose, it would say {answer['prediction']['forced_label']}." in why
    assert page.locator("#checks .holds").count() == len(answer["prediction"]["reasons"])


def test_the_whole_way_by_keyboard(open_page) -> None:
    page = open_page()
    press, focus = page.keyboard.press, lambda: page.evaluate("document.activeElement.id")
    press("Tab")  # the link that skips to the article
    press("Tab")
    assert focus() == "title"
    page.keyboard.type("A canal")
    press("Tab")
    assert focus() == "text"
    page.keyboard.insert_text(ARTICLE)
    press("Tab")
    assert focus() == "submit"
    press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert focus() == "verdict"
    press("Shift+Tab")
    assert focus() == "edit"
    press("Enter")
    assert focus() == "text"
    assert page.input_value("#text") == ARTICLE
    press("Control+Enter")
    page.wait_for_selector("#result:not([hidden])")
    press("Shift+Tab")
    press("Shift+Tab")
    assert focus() == "again"
    press("Enter")
    assert (focus(), page.input_value("#text")) == ("text", "")


def test_while_it_reads_it_says_so_and_asks_once(open_page) -> None:
    page = open_page()
    asked = []

    def slowly(route: Any) -> None:
        asked.append(route.request.url)
        assert page.get_attribute("#form", "aria-busy") == "true"
        assert page.inner_text("#submit") == "Reading\u2026"
        page.evaluate("document.querySelector('#submit').click()")
        route.continue_()

    page.route("**/v1/explain", slowly)
    submit(page, ARTICLE)
    assert len(asked) == 1
    assert page.get_attribute("#form", "aria-busy") == "false"


def test_a_server_that_is_not_ready_yet_is_asked_again(open_page) -> None:
    page = open_page(refused=(503,))
    answered = []

    def first_busy(route: Any) -> None:
        answered.append(route)
        if len(answered) == 1:
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="{}")
        else:
            route.continue_()

    page.route("**/v1/explain", first_busy)
    page.fill("#text", ARTICLE)
    page.click("#submit")
    page.wait_for_selector("#result:not([hidden])")
    assert len(answered) == 2


def test_nothing_to_read_is_said_without_asking(open_page) -> None:
    page = open_page()
    page.click("#submit")
    assert "no article yet" in page.inner_text("#error")
    assert page.evaluate("document.activeElement.id") == "text"


def test_the_servers_refusal_is_shown_in_its_words_and_the_text_stays(open_page) -> None:
    page = open_page(refused=(422, 413))
    text = "word " * LIMIT
    page.fill("#text", text)
    page.click("#submit")
    page.wait_for_selector("#error:not([hidden])")
    assert f"at most {LIMIT:,} are accepted" in page.inner_text("#error-detail")
    assert page.get_attribute("#error", "role") == "alert"
    assert page.evaluate("document.activeElement.id") == "error"
    assert page.input_value("#text") == text
    submit(page, ARTICLE)
    assert page.is_hidden("#error")


def test_offline_the_text_stays_and_the_next_try_works(open_page) -> None:
    page = open_page()
    page.context.set_offline(True)
    page.fill("#text", ARTICLE)
    page.click("#submit")
    page.wait_for_selector("#error:not([hidden])")
    assert "can't be reached" in page.inner_text("#error")
    page.context.set_offline(False)
    submit(page, page.input_value("#text"))


def test_markup_in_an_article_stays_text(open_page) -> None:
    page = open_page()
    answer = submit(page, f"{HOSTILE}\n{ARTICLE}", HOSTILE)
    assert squeeze(page.inner_text("#article")) == squeeze(answer["text"])
    assert "<script>window.attacked" in page.inner_text("#article")
    inside = page.evaluate(
        "[...document.querySelectorAll('#result *, .margin *, #notes *')].map((n) => n.localName)"
    )
    assert not {"script", "img", "a", "b", "style", "iframe"} & set(inside)
    assert page.evaluate("window.attacked") is None


def test_a_token_is_asked_for_only_where_the_server_wants_one(open_page, start_server) -> None:
    assert open_page().is_hidden("#token-field")
    with start_server(FRAMELENS_TOKEN="open sesame") as guarded:
        page = open_page(guarded, refused=(401,))
        page.wait_for_selector("#token-field:not([hidden])")
        page.fill("#text", ARTICLE)
        page.click("#submit")
        page.wait_for_selector("#error:not([hidden])")
        assert "asks for an access token" in page.inner_text("#error")
        assert page.evaluate("document.activeElement.id") == "token"
        page.keyboard.type("open barley")
        page.keyboard.press("Enter")
        page.wait_for_selector("#error:has-text('refuses this token')")
        page.fill("#token", "open sesame")
        submit(page, ARTICLE)
        page.wait_for_selector("#figures .figure")
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(open_page, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 740})
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= width
    submit(page, f"{'x' * 400} {ARTICLE} {'https://a.example/' + 'y' * 300}", "z" * 300)
    assert page.evaluate(wide) <= width
    narrow = page.eval_on_selector_all(
        "button", "(all) => all.filter((b) => b.offsetHeight && b.offsetHeight < 44).length"
    )
    assert narrow == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_with_what_is_behind_it_in_light_and_dark(open_page, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 200) == (scheme == "dark")
    everywhere = [
        "h1",
        ".hint",
        ".edition",
        "#submit",
        "#example",
        ".standfirst .state",
        ".standfirst .independent",
    ]
    for selector in everywhere:
        assert page.evaluate(CONTRAST, selector) >= 4.5, selector
    submit(page, ARTICLE)
    for selector in ("#article p", "#article .masked", ".checks .detail", "mark.s.l4", "mark.i.l4", ".side"):
        assert page.evaluate(CONTRAST, selector) >= 4.5, selector


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_audit_of_accessibility_finds_nothing(open_page, scheme: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is missing: pip install -e '.[dev]'"
    ).Axe()
    page = open_page(color_scheme=scheme)

    def found() -> list[str]:
        return [v["id"] + " " + v["nodes"][0]["html"] for v in axe.run(page).response["violations"]]

    assert found() == []
    page.click("#submit")
    assert found() == []
    submit(page, ARTICLE, "A canal")
    assert found() == []


def test_the_example_is_declared_invented_and_answered(open_page) -> None:
    page = open_page()
    scores = []
    for _ in range(2):
        with page.expect_response("**/v1/explain") as response:
            page.click("#example")
        page.wait_for_selector("#result:not([hidden])")
        assert "invented" in page.inner_text("#invented").lower()
        scores.append(response.value.json()["prediction"]["p_state"])
        page.click("#again")
    assert scores[0] > scores[1]
    submit(page, ARTICLE)
    assert page.is_hidden("#invented")
