from lstm_lm.io import hashing


def test_the_digest_of_a_folder_depends_on_names_and_contents(tmp_path):
    for name, files in {
        "a": {"x": "1", "d/y": "2"},
        "b": {"d/y": "2", "x": "1"},
        "c": {"x": "1", "d/z": "2"},
        "d": {"x": "1", "d/y": "3"},
    }.items():
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
    digests = [hashing.digest(tmp_path / name) for name in "abcd"]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_dependencies_of_a_stage_are_its_data_and_code(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text("stages:\n  train:\n    cmd: x\n    deps: [data, code.py]\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ids").write_text("1")
    (tmp_path / "code.py").write_text("x = 1")
    monkeypatch.chdir(tmp_path)
    before = hashing.digest_dependencies("train")
    assert list(before) == ["data", "code.py"]
    (tmp_path / "data/ids").write_text("2")
    after = hashing.digest_dependencies("train")
    assert after["data"] != before["data"]
    assert after["code.py"] == before["code.py"]


def test_a_digest_of_json_depends_on_every_value_and_not_on_the_order_of_keys():
    digest = hashing.digest_json({"learning_rate": 0.1, "epochs": 1}, "data")
    assert digest == hashing.digest_json({"epochs": 1, "learning_rate": 0.1}, "data")
    assert len({digest, hashing.digest_json({"learning_rate": 0.2, "epochs": 1}, "data"), hashing.digest_json({}, "data")}) == 3
