"""A small PyTorch model in the loop: `python examples/torch_model.py PROJECT [ROUNDS]`; needs torch.

Words are hashed into an embedding whose mean goes through one linear layer. LABELWISE_URL and LABELWISE_TOKEN say
where; the project's learner is {"name": "external"}.
"""

import re
import sys
from zlib import crc32

import torch
from torch import nn

from labelwise import Client

BUCKETS, WIDTH, EPOCHS = 20_000, 64, 30


def numbers(texts):
    """Word numbers of all texts in one row, and where each text begins."""
    words = [[crc32(word.encode()) % BUCKETS for word in re.findall(r"\w+", text.lower())] or [0] for text in texts]
    starts = [0]
    for each in words[:-1]:
        starts.append(starts[-1] + len(each))
    return torch.tensor([number for each in words for number in each]), torch.tensor(starts)


class Net(nn.Module):
    """Mean of word embeddings, then one linear layer."""

    def __init__(self, classes):
        super().__init__()
        self.words = nn.EmbeddingBag(BUCKETS, WIDTH)
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, texts):
        return self.head(self.words(*numbers(texts)))


def fit_predict(items, labels, pool):
    torch.manual_seed(0)
    names = sorted(set(labels))
    texts, truth = [item["text"] for item in items], torch.tensor([names.index(label) for label in labels])
    net = Net(len(names))
    steps = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
    for _ in range(EPOCHS):
        steps.zero_grad()
        nn.functional.cross_entropy(net(texts), truth).backward()
        steps.step()
    with torch.no_grad():
        for chunk in pool:
            yield names, net([item["text"] for item in chunk]).softmax(dim=1)


if __name__ == "__main__":
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else None
    Client().project(sys.argv[1]).learn_with(fit_predict, model="torch", rounds=rounds)
