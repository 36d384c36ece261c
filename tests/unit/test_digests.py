from lstm_lm.io import hashing


def test_the_digest_of_a_folder_is_of_names_and_contents(tmp_path):
    for name, files in {
        "a": {"x": "1", "d/y": "2"},
        "b": {"d/y": "2", "x": "1"},
        "c": {"x": "1", "d/z": "2"},
        "d": {"x": "1", "d/y": "3"},
    }.items():
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
    found = [hashing.digest(tmp_path / name) for name in "abcd"]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_what_a_stage_reads_is_data_and_code(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text("stages:\n  train:\n    cmd: x\n    deps: [data, code.py]\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ids").write_text("1")
    (tmp_path / "code.py").write_text("x = 1")
    monkeypatch.chdir(tmp_path)
    before = hashing.of_deps("train")
    assert list(before) == ["data", "code.py"]
    (tmp_path / "data/ids").write_text("2")
    after = hashing.of_deps("train")
    assert after["data"] != before["data"]
    assert after["code.py"] == before["code.py"]
