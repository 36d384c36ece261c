"""The same model in PyTorch: nn.Embedding, nn.LSTM, nn.Linear; "bfloat16" runs it under autocast."""

import torch
from torch import nn
from torch.nn import functional

import protocol


class Model(nn.Module):
    def __init__(self, chosen):
        super().__init__()
        embedding, hidden, projection = chosen["embedding_size"], chosen["hidden_size"], chosen["projection_size"]
        self.dropout = chosen["dropout"]
        self.embedding = nn.Embedding(chosen["vocabulary"], embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.projection = nn.Linear(hidden, projection, bias=False) if projection else nn.Identity()
        self.softmax = nn.Linear(projection or hidden, chosen["vocabulary"])
        if chosen["tie_weights"]:
            self.softmax.weight = self.embedding.weight
        scale = chosen["initializer_scale"]
        nn.init.uniform_(self.embedding.weight, -scale, scale)
        nn.init.uniform_(self.softmax.weight, -scale, scale)
        nn.init.zeros_(self.softmax.bias)

    def drop(self, x):
        """One mask for all words of a window."""
        return x * functional.dropout(torch.ones(x.shape[0], 1, x.shape[2]), self.dropout) if self.dropout else x

    def forward(self, ids, state):
        x, state = self.lstm(self.drop(self.embedding(ids)), state)
        return self.softmax(self.projection(self.drop(x))), state


def main():
    chosen = protocol.settings()
    torch.manual_seed(1)
    model = Model(chosen)
    optimizer = (
        torch.optim.AdamW(model.parameters(), chosen["learning_rate"], weight_decay=chosen["weight_decay"])
        if chosen["weight_decay"]
        else torch.optim.Adam(model.parameters(), chosen["learning_rate"])
    )
    state = None

    def step(inputs, targets):
        nonlocal state
        ids, targets = torch.from_numpy(inputs).long(), torch.from_numpy(targets).long()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=chosen["bfloat16"]):
            logits, state = model(ids, state)
            loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        state = tuple(each.detach() for each in state)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), chosen["clip_norm"])
        optimizer.step()
        return loss.item()

    protocol.train(step, chosen, version="PyTorch " + torch.__version__.split("+", maxsplit=1)[0])


if __name__ == "__main__":
    main()
