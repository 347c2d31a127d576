"""Gated recurrent units whose training step is cheap on a CPU; the weights are those of torch's own `nn.GRU`.

Belongs here: the recurrence that the families `gru` and `cnn_gru` share. Torch's backward pass adds up every weight's gradient
step by step of time, with several small operations and one small matrix product each; here one product over all steps does it,
and what does not depend on the step before is computed for all steps at once. Elsewhere than in training on a CPU, torch's own
is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ml.models.network import Features


class Recurrence(Features):
    """GRU, the mean and the largest value of each state over time: (batch, time, channels) in, (batch, 2 × hidden) out."""

    def __init__(self, channels: int, *, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.width = 2 * hidden

    def forward(self, sequence: Tensor) -> Tensor:
        if self.training and sequence.device.type == "cpu":
            states, time = self._trained(sequence.transpose(0, 1)), 0
        else:
            states, time = self.gru(sequence)[0], 1
        return torch.cat([states.mean(dim=time), states.amax(dim=time)], dim=1)

    def _trained(self, states: Tensor) -> Tensor:
        for layer in range(self.gru.num_layers):
            if layer:
                states = nn.functional.dropout(states, self.gru.dropout)
            weights = (getattr(self.gru, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            states = GatedLayer.apply(states.contiguous(), *weights)  # type: ignore[no-untyped-call]
        return states


class GatedLayer(torch.autograd.Function):
    """One layer, time first: (time, batch, channels) in, (time, batch, hidden) out.

    With gates r, z and candidate n, as `nn.GRU` has them: h' = n + z (h - n), n = tanh(x_n + r h_n).
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight_in: Tensor, weight: Tensor, bias_in: Tensor, bias: Tensor) -> Tensor:
        steps, batch, _ = inputs.shape
        hidden = weight.shape[1]
        # Becomes r, z and n in place.
        gates = torch.addmm(bias_in, inputs.flatten(0, 1), weight_in.t()).view(steps, batch, -1)
        states = inputs.new_zeros(steps + 1, batch, hidden)
        recurrent = inputs.new_empty(steps, batch, hidden)
        turned = weight.t()
        for step in range(steps):
            before = torch.addmm(bias, states[step], turned)
            both, new = gates[step, :, : 2 * hidden], gates[step, :, 2 * hidden :]
            both.add_(before[:, : 2 * hidden]).sigmoid_()
            recurrent[step] = before[:, 2 * hidden :]
            new.addcmul_(both[:, :hidden], recurrent[step]).tanh_()
            torch.lerp(new, states[step], both[:, hidden:], out=states[step + 1])
        ctx.save_for_backward(inputs, weight_in, weight, gates, states, recurrent)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        inputs, weight_in, weight, gates, states, recurrent = ctx.saved_tensors
        reset, update, new = gates.chunk(3, dim=2)
        # What a gradient of h' is multiplied with on its way to the sum before each gate.
        of_update = (states[:-1] - new) * update * (1 - update)
        of_new = (1 - update) * (1 - new * new)
        of_reset = recurrent * reset * (1 - reset)
        inside = torch.empty_like(gates)
        to_reset, to_update, to_new = inside.chunk(3, dim=2)
        outside = torch.empty_like(gates)
        through = torch.zeros_like(grad[0])
        for step in range(len(grad) - 1, -1, -1):
            through += grad[step]
            torch.mul(through, of_new[step], out=to_new[step])
            torch.mul(through, of_update[step], out=to_update[step])
            torch.mul(to_new[step], of_reset[step], out=to_reset[step])
            outside[step, :, : 2 * weight.shape[1]] = inside[step, :, : 2 * weight.shape[1]]
            torch.mul(to_new[step], reset[step], out=outside[step, :, 2 * weight.shape[1] :])
            through = torch.addmm(through * update[step], outside[step], weight)
        flat_in, flat_out = inside.flatten(0, 1), outside.flatten(0, 1)
        return (
            (flat_in @ weight_in).view_as(inputs),
            flat_in.t() @ inputs.flatten(0, 1),
            flat_out.t() @ states[:-1].flatten(0, 1),
            flat_in.sum(dim=0),
            flat_out.sum(dim=0),
        )
