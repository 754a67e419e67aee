from seedream_daemon.emulator.limits import ImagesPerMinute


def test_a_minute_holds_so_many_pictures_and_slides():
    limit = ImagesPerMinute(10)
    assert limit.admit("m", 6, 0.0) is None
    assert limit.admit("m", 4, 30.0) is None
    assert limit.admit("m", 1, 45.0) == 15.0
    assert limit.admit("m", 7, 45.0) == 45.0
    assert limit.admit("m", 6, 60.0) is None
    assert limit.admit("m", 1, 60.0) == 30.0


def test_each_model_has_its_own_minute():
    limit = ImagesPerMinute(1)
    assert [limit.admit(model, 1, 0.0) for model in ("a", "b", "a")] == [None, None, 60.0]


def test_what_was_refused_does_not_count():
    limit = ImagesPerMinute(2)
    assert limit.admit("m", 3, 0.0) == 60.0
    assert limit.admit("m", 2, 0.0) is None


def test_no_limit_admits_all():
    assert [ImagesPerMinute(0).admit("m", 15, 0.0) for _ in range(100)] == [None] * 100
