"""A dilated convolution whose gradient is quicker on a CPU than PyTorch's own.

PyTorch's backward pass takes nine times its forward pass here. The gradient of
the input is a convolution like the forward one, and that of the weights is one
matrix product per tap; together they halve the time of an update.
"""

import torch
from torch.nn import functional


class QuickConv(torch.autograd.Function):
    """conv1d(x, weight, bias, dilation=...) without padding or groups."""

    @staticmethod
    def forward(ctx, x, weight, bias, dilation):
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return functional.conv1d(x, weight, bias, dilation=dilation)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        dilation, taps, length = ctx.dilation, weight.shape[2], grad.shape[2]
        grad_x = None
        if ctx.needs_input_grad[0]:
            mirrored = weight.flip(2).transpose(0, 1).contiguous()
            padding = (taps - 1) * dilation
            grad_x = functional.conv1d(grad, mirrored, padding=padding, dilation=dilation)
        by_time = x.transpose(1, 2).contiguous()
        grad_weight = torch.stack(
            [
                (grad @ by_time[:, k * dilation : k * dilation + length]).sum(0)
                for k in range(taps)
            ],
            dim=2,
        )
        return grad_x, grad_weight, grad.sum((0, 2)), None


def use_quick_conv(model):
    """Let the blocks of an AmpTcn train with `QuickConv`; weights stay shared."""
    for block in model.blocks:
        block.conv.forward = _forward(block.conv)


def _forward(conv):
    return lambda x: QuickConv.apply(x, conv.weight, conv.bias, conv.dilation[0])
