"""Rows and samples as a training reports them, for the tests of its observers."""

from lstm_lm.events import Row, Sample

ROW = Row(step=50, words_seen=5600, epoch=1, loss=6.5, learning_rate=0.003, gradient_norm=0.4, words_per_second=8123.4)
LAST_ROW = Row(
    step=100,
    words_seen=11200,
    epoch=1,
    loss=6.0,
    learning_rate=0.003,
    gradient_norm=0.4,
    words_per_second=8000.0,
    validation_loss=5.5,
    validation_perplexity=244.7,
)
SAMPLES = [Sample(100, "to be", 0.0, "to be the king"), Sample(100, "to be", 0.8, 'to be, "so"\nto say')]
