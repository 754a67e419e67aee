from seedream_daemon.job.schema import KEYS, json_schema, keys_of, markdown_table, says


def test_every_key_says_what_it_means_and_what_it_may_hold():
    rows = markdown_table().splitlines()

    assert len(rows) == len(KEYS) + 2
    for key, row in zip(KEYS, rows[2:], strict=True):
        assert row.startswith(f"| `{key}` | ")
        assert row.count("|") == 6
        assert says(key).allowed


def test_the_schema_knows_every_key_and_no_null():
    schema = json_schema()

    assert tuple(schema["properties"]) == KEYS
    assert schema["required"] == ["kind"]
    assert schema["additionalProperties"] is False
    assert "null" not in str(schema)
    assert all(shape["description"] for shape in schema["properties"].values())


def test_a_kind_takes_its_own_keys():
    assert "crop" not in keys_of("bulk")
    assert "photos" in keys_of("bulk")
    assert "prompts" in keys_of("grid")
    assert keys_of(None) == KEYS
