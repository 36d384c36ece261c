from lstm_lm.errors import SettingError, UserError


def test_a_setting_error_names_the_file_and_the_key():
    error = SettingError("vocab.test", "0 leaves no test text")
    assert isinstance(error, UserError)
    assert str(error) == "params.yaml: vocab.test: 0 leaves no test text"
    assert error.key == "vocab.test"
