"""What a leaf gives each feature of its path, by which of their conditions a row satisfies."""

import numpy as np

_MOST = 1 << 20
"""Numbers that are computed at once."""


def contributions(shares: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The SHAP values of leaves for every pattern of satisfied conditions.

    The path-dependent game of a leaf: where the values of some features are known, the leaf is worth its value, times 1
    or 0 for each of them (its condition holds or not), times the shares of the others. The Shapley value of feature i
    in such a product is, by Owen's multilinear extension, the integral over t from 0 to 1 of

        (held_i - share_i) * product over the others of (share_j * (1 - t) + held_j * t)

    which is a polynomial of degree depth - 1: depth / 2 nodes of Gauss and Legendre give it exactly. Linear TreeSHAP
    (Yu et al., 2022) evaluates the same polynomial. All factors in the integral are positive, so that nothing cancels.

    Args:
        shares: of the training rows that satisfy each condition, among those that come to it; shape (leaves, depth).
        values: shape (leaves,).

    Returns:
        Shape (leaves, 2 ** depth, depth); bit j of a pattern says whether the condition of feature j holds.
    """
    depth = shares.shape[1]
    at_once = max(_MOST // (depth << depth), 1)
    parts = [slice(first, first + at_once) for first in range(0, len(values), at_once)]
    return np.concatenate([_contributions(shares[part], values[part]) for part in parts])


def _contributions(shares: np.ndarray, values: np.ndarray) -> np.ndarray:
    leaves, depth = shares.shape
    weights, fails, holds = factors(shares)
    nodes = len(weights)
    by_pattern = products(fails, holds) * weights[:, None]
    found = np.empty((leaves, 1 << depth, depth))
    for place in range(depth):
        # shape (leaves, nodes, higher patterns, 2, lower patterns)
        halves = by_pattern.reshape(leaves, nodes, -1, 2, 1 << place)
        own = np.stack([fails[:, :, place], holds[:, :, place]], axis=2)[:, :, None, :, None]
        step = np.stack([-shares[:, place], 1 - shares[:, place]], axis=1) * values[:, None]
        found[:, :, place] = ((halves / own).sum(axis=1) * step[:, None, :, None]).reshape(leaves, -1)
    return found


def factors(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weights of the integral's nodes, and its factors where a condition fails and where it holds.

    Args:
        shares: shape (..., depth).

    Returns:
        Shapes (nodes,), (..., nodes, depth) and (..., nodes, depth).
    """
    places, weights = np.polynomial.legendre.leggauss((shares.shape[-1] + 1) // 2)
    known = (places[:, None] + 1) / 2  # t, from 0 to 1 rather than from -1 to 1
    fails = shares[..., None, :] * (1 - known)
    return weights / 2, fails, fails + known


def products(fails: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """The products of factors of shape (leaves, nodes, depth), by pattern: shape (leaves, nodes, 2 ** depth)."""
    found = np.ones((*fails.shape[:2], 1))
    for place in range(fails.shape[2]):  # each doubles the patterns
        both = fails[:, :, place, None], holds[:, :, place, None]
        found = np.concatenate([found * factor for factor in both], axis=2)
    return found
