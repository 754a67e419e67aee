from PIL import ImageFont

from seedream_daemon.emulator import lettering
from seedream_daemon.emulator.lettering import font_of, legible, wrap


def _knows_korean() -> bool:
    return lettering._draws(font_of(20), "한")


def test_korean_is_legible_with_and_without_a_korean_font():
    expected = "등대 한국" if _knows_korean() else "deungdae hanguk"
    assert legible("등대 한국") == expected


def test_characters_without_a_font_are_counted():
    assert legible("a cat \U000f0000\U000f0001!") == "a cat [2 without a font]!"


def test_lines_are_no_wider_than_asked_and_the_rest_is_hinted_at():
    font = font_of(16)
    lines = wrap("word " * 100 + "x" * 500, font, width_px=200, lines=3)
    assert len(lines) == 3
    assert lines[2].endswith(" ...")
    assert all(font.getlength(line.removesuffix(" ...")) <= 200 for line in lines)


def test_a_word_wider_than_a_line_is_broken():
    font = font_of(16)
    lines = wrap("x" * 100, font, width_px=100, lines=50)
    assert "".join(lines) == "x" * 100
    assert isinstance(font, ImageFont.FreeTypeFont)
