"""A small classifier of digits: a judge that never saw a generated image, and a source of features."""

import torch
from torch import Tensor, nn


class DigitClassifier(nn.Module):
    """Three strided convolutions and two linear layers; about 0.2 M parameters.

    Takes (batch, 1, 28, 28) in [−1, 1], gives (batch, 10) logits; features(x) gives (batch, 128).
    """

    def __init__(self, dim: int = 32, features: int = 128):
        super().__init__()
        self.config = dict(dim=dim, features=features)
        self.body = nn.Sequential(
            nn.Conv2d(1, dim, 3, padding=1), nn.GroupNorm(dim, dim), nn.GELU(),
            nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1), nn.GroupNorm(dim, 2 * dim), nn.GELU(),
            nn.Conv2d(2 * dim, 2 * dim, 3, stride=2, padding=1), nn.GroupNorm(dim, 2 * dim), nn.GELU(),
            nn.Conv2d(2 * dim, 2 * dim, 3, stride=2, padding=1), nn.GroupNorm(dim, 2 * dim), nn.GELU(),
            nn.Flatten(), nn.Linear(2 * dim * 16, features), nn.GELU(),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(features, 10)

    def features(self, x: Tensor) -> Tensor:
        """(batch, 1, 28, 28) → (batch, features): the activations before the last layer."""
        if x.ndim != 4 or x.shape[1:] != (1, 28, 28):
            raise ValueError(f"the digit classifier takes images of shape (batch, 1, 28, 28), got {tuple(x.shape)}.")
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))


def train_classifier(
    images: Tensor, labels: Tensor, num_epochs: int = 6, batch_size: int = 128, lr: float = 2e-3, seed: int = 0
):
    """A DigitClassifier trained on shifted copies of the images (up to 2 pixels); yields (epoch, mean loss, model)."""
    torch.manual_seed(seed)
    model = DigitClassifier().train()
    steps = num_epochs * (len(images) // batch_size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    for epoch in range(num_epochs):
        total = 0.0
        for batch in torch.randperm(len(images))[: len(images) // batch_size * batch_size].split(batch_size):
            shift = torch.randint(-2, 3, (2,)).tolist()
            x = torch.roll(images[batch], shift, dims=(2, 3))
            loss = nn.functional.cross_entropy(model(x), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(batch)
        yield epoch + 1, total / len(images), model
