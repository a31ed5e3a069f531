"""One layer of a transformer: attention, then a small network, each with a way past it.

After A. Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021 (norm first).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from backends.errors import WrongUse


class Attention(nn.Module):
    """A layer over tokens.

    Parameters
    ----------
    width, heads, hidden : int
        Width of the tokens, divisible by the heads; units between the two linear maps.
    dropout : float
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise WrongUse(f"The width {width} is not divisible by {heads} heads.")
        self.heads, self.drop = heads, dropout
        self.norm_in, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width, bias=False)
        self.answer = nn.Linear(width, width)
        self.wide = nn.Linear(width, hidden)
        self.back = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape (batch, tokens, width)."""
        batch, count, width = tokens.shape
        asked = self.ask(self.norm_in(tokens)).view(batch, count, 3, self.heads, -1)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        seen = self.answer(seen.transpose(1, 2).reshape(batch, count, width))
        tokens = tokens + functional.dropout(seen, self.drop, self.training)
        inner = functional.gelu(self.wide(self.norm_out(tokens)))
        inner = self.back(functional.dropout(inner, self.drop, self.training))
        out: Tensor = tokens + functional.dropout(inner, self.drop, self.training)
        return out
