"""A small PyTorch model in the loop: `python examples/torch_model.py PROJECT [ROUNDS]`; needs torch.

Words are hashed into an embedding whose mean goes through one linear layer; each round goes on from the weights of the
one before. A net that knows a few answers by heart is too sure of itself, so one answer in five is held out, and the
temperature that fits those best tones down what it says. LABELWISE_URL and LABELWISE_TOKEN say where; the project's
learner is {"name": "external"}.
"""

import re
import sys
from zlib import crc32

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from labelwise import Client

BUCKETS, WIDTH, EPOCHS, HELD, FEW = 20_000, 64, 30, 5, 20
HEATS = (0.5, 1.0, 2.0, 4.0, 8.0)
nets = {}  # by class names


class Net(nn.Module):
    """Mean of word embeddings, then one linear layer."""

    def __init__(self, classes):
        super().__init__()
        self.words = nn.EmbeddingBag(BUCKETS, WIDTH)
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, items):
        words = [re.findall(r"\w+", item["text"].lower()) for item in items]
        lengths = torch.tensor([0, *(len(each) for each in words)])
        numbers = torch.tensor([crc32(word.encode()) % BUCKETS for each in words for word in each], dtype=torch.long)
        return self.head(self.words(numbers, lengths.cumsum(0)[:-1]))


def fit_predict(items, labels, pool):
    torch.manual_seed(0)
    names = tuple(sorted(set(labels)))
    net = nets.setdefault(names, Net(len(names)))
    truth = torch.tensor([names.index(label) for label in labels])
    held = [row for row, item in enumerate(items) if crc32(item["key"].encode()) % HELD == 0 and len(items) >= FEW]
    kept = [row for row in range(len(items)) if row not in set(held)]
    steps = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
    for _ in range(EPOCHS):
        steps.zero_grad()
        cross_entropy(net([items[row] for row in kept]), truth[kept]).backward()
        steps.step()
    with torch.no_grad():
        scores = net([items[row] for row in held])
        heat = min(HEATS, key=lambda each: cross_entropy(scores / each, truth[held]).item()) if held else 2.0
        for chunk in pool:
            yield names, (net(chunk) / heat).softmax(dim=1)


if __name__ == "__main__":
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else None
    Client().project(sys.argv[1]).learn_with(fit_predict, model="torch", rounds=rounds)
