import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from seedream_daemon.photos.crop import (
    Box,
    Face,
    Square,
    as_stored,
    box_inside,
    calculate_balanced_crop_v2,
    centered_square,
    main_face,
    square_around,
    square_inside,
)

sides = st.integers(15, 20000)
anything = st.floats(-30000, 30000)


@st.composite
def faces_in_photos(draw):
    width, height = draw(sides), draw(sides)
    w = draw(st.floats(0.001, 1)) * width
    h = draw(st.floats(0.001, 1)) * height
    x = draw(st.floats(0, 1)) * (width - w)
    y = draw(st.floats(0, 1)) * (height - h)
    return Box(x, y, w, h), width, height


def assert_inside(square: Square, width: int, height: int) -> None:
    assert square.side >= 1
    assert 0 <= square.x <= width - square.side
    assert 0 <= square.y <= height - square.side


@given(faces_in_photos())
def test_the_square_lies_inside_the_photo(case):
    box, width, height = case
    square, _ = square_around(box, width, height)
    assert_inside(square, width, height)


@given(faces_in_photos())
def test_the_square_holds_the_face_whenever_it_can(case):
    box, width, height = case
    square, _ = square_around(box, width, height)
    assume(math.ceil(max(box.width, box.height)) + 1 <= min(width, height))
    assert square.x <= box.x + 0.51
    assert square.y <= box.y + 0.51
    assert square.x + square.side >= box.x + box.width - 0.51
    assert square.y + square.side >= box.y + box.height - 0.51


@given(faces_in_photos())
def test_the_face_is_in_the_middle_when_nothing_is_in_the_way(case):
    box, width, height = case
    square, how = square_around(box, width, height)
    assume(how == "face")
    x, y, w, h = box
    wanted = max(w, h) * 2.5
    if x + w / 2 - wanted / 2 > 1 and x + w / 2 + wanted / 2 < width - 1 and wanted < height:
        assert abs(square.x + square.side / 2 - (x + w / 2)) <= 1
    if y + h / 2 - wanted / 2 > 1 and y + h / 2 + wanted / 2 < height - 1 and wanted < width:
        assert abs(square.y + square.side / 2 - (y + h / 2)) <= 1


@given(faces_in_photos())
def test_the_square_is_smaller_than_wanted_only_if_the_photo_is(case):
    box, width, height = case
    square, how = square_around(box, width, height)
    assume(how == "face")
    wanted = round(max(box.width, box.height) * 2.5)
    assert square.side == max(1, min(wanted, width, height))


@given(st.tuples(anything, anything, st.floats(0, 30000)), sides, sides, st.tuples(*[anything] * 4))
def test_any_numbers_give_a_square_inside_the_photo(face, width, height, bbox):
    x1, y1, x2, y2 = calculate_balanced_crop_v2(*face, width, height, bbox)
    assert x2 - x1 == y2 - y1
    assert_inside(Square(x1, y1, x2 - x1), width, height)


@pytest.mark.parametrize(
    ("box", "photo", "square", "how"),
    [
        # in the open: 2.5 times the face, the face in the middle
        (Box(900, 700, 200, 240), (2000, 2000), Square(700, 520, 600), "face"),
        # near the top: shifted, not smaller
        (Box(900, 50, 200, 240), (2000, 2000), Square(700, 0, 600), "face"),
        # near a corner
        (Box(30, 1700, 200, 240), (2000, 2000), Square(0, 1400, 600), "face"),
        # a face that fills the photo: as large as the photo allows
        (Box(200, 100, 500, 700), (900, 1200), Square(0, 0, 900), "face"),
        # cut by the left border: the largest square, shifted to hold it
        (Box(-20, 700, 200, 240), (3000, 2000), Square(0, 0, 2000), "corrected"),
        (Box(0, 700, 200, 240), (3000, 2000), Square(0, 0, 2000), "corrected"),
        # cut by the lower border of a portrait
        (Box(900, 2800, 300, 240), (2000, 3000), Square(0, 1000, 2000), "corrected"),
        # tiny: the largest square from the middle
        (Box(1500, 900, 50, 60), (3000, 2000), Square(500, 0, 2000), "corrected"),
        # tiny and far to the right: shifted no more than it takes
        (Box(2700, 900, 50, 60), (3000, 2000), Square(795, 0, 2000), "corrected"),
    ],
)
def test_squares(box: Box, photo: tuple[int, int], square: Square, how: str):
    assert square_around(box, *photo) == (square, how)


def test_the_middle_is_the_largest_square():
    assert centered_square(3000, 2000) == Square(500, 0, 2000)
    assert centered_square(1, 5000) == Square(0, 2499, 1)


def test_the_largest_face_wins():
    large = Face(Box(100, 100, 300, 300), 0.95)
    small = Face(Box(900, 400, 100, 100), 1.0)
    assert main_face([small, large], 2000, 1000) == large


def test_of_equal_faces_the_most_central_wins():
    aside = Face(Box(100, 400, 200, 200), 0.99)
    central = Face(Box(850, 400, 210, 200), 0.99)
    assert main_face([aside, central], 2000, 1000) == central
    assert main_face([], 2000, 1000) is None


@given(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 4), sides, sides)
def test_foreign_corners_are_clamped_or_refused(corners, width, height):
    try:
        square = square_inside(corners, width, height)
    except ValueError:
        return
    assert_inside(square, width, height)


def test_foreign_corners_are_made_square_around_their_middle():
    assert square_inside((100, 100, 300, 200), 1000, 1000) == Square(100, 50, 200)
    assert square_inside((-50, -50, 5000, 100), 400, 300) == Square(100, 0, 300)
    with pytest.raises(ValueError, match="spans no area"):
        square_inside((5, 5, 5, 9), 100, 100)


@given(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 4), sides, sides)
def test_foreign_boxes_are_clamped_or_refused(box, width, height):
    try:
        x, y, w, h = box_inside(box, width, height)
    except ValueError:
        return
    assert 0 <= x < x + w <= width + 1e-6
    assert 0 <= y < y + h <= height + 1e-6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_square_is_found_again_in_the_stored_pixels(orientation: int, lay):
    upright = Image.new("L", (60, 40))
    square = Square(7, 11, 13)
    upright.paste(255, (7, 11, 20, 24))
    stored = lay(upright, orientation)
    x, y, side = as_stored(square, orientation, 60, 40)
    assert stored.getbbox() == (x, y, x + side, y + side)
