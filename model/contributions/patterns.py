"""What a leaf gives each feature of its path, by which of their conditions a row satisfies."""

import numpy as np

_MOST = 1 << 20
"""Numbers that are computed at once."""


def contributions(shares: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The SHAP values of leaves for every pattern of satisfied conditions.

    The path-dependent game of a leaf gives a set of features that are known the product of its value, of 1 or 0 for each
    known feature (its condition holds or not), and of the others' shares. The Shapley value of such a product is the
    integral over t from 0 to 1 of (1 or 0 - share) * product over the other features of (share * (1 - t) + (1 or 0) * t),
    by Owen's multilinear extension; it is a polynomial of degree depth - 1, so that depth / 2 nodes of Gauss and Legendre give
    it exactly. Linear TreeSHAP (Yu et al., 2022) uses this polynomial, and WOODELF (2025) the patterns. All terms are
    positive: nothing cancels, other than where TreeSHAP unwinds a path.

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
    places, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    known = (places + 1) / 2  # t, from 0 to 1 rather than from -1 to 1
    fails = shares[:, None, :] * (1 - known)[:, None]  # shape (leaves, nodes, depth)
    holds = fails + known[:, None]
    products = np.broadcast_to(weights / 2, (leaves, len(known)))[:, :, None]
    for place in range(depth):  # each doubles the patterns
        both = fails[:, :, place, None], holds[:, :, place, None]
        products = np.concatenate([products * factor for factor in both], axis=2)
    found = np.empty((leaves, 1 << depth, depth))
    for place in range(depth):
        # shape (leaves, nodes, higher patterns, 2, lower patterns)
        halves = products.reshape(leaves, len(known), -1, 2, 1 << place)
        own = np.stack([fails[:, :, place], holds[:, :, place]], axis=2)[:, :, None, :, None]
        step = np.stack([-shares[:, place], 1 - shares[:, place]], axis=1) * values[:, None]
        found[:, :, place] = ((halves / own).sum(axis=1) * step[:, None, :, None]).reshape(leaves, -1)
    return found
