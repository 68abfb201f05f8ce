"""The field, the Cantor basis and the basis conversion, derived again with galois."""

from __future__ import annotations

import galois
import numba as nb
import numpy as np
import pytest

from postprocessing.amplification.constants import (
    MODULUS,
    cantor_basis,
    field_tables,
    pass_plan,
    passes,
    point_values,
)
from postprocessing.amplification.kernels.carryless import available_multipliers, product
from postprocessing.amplification.kernels.field import sum_of_products, times
from postprocessing.simd.words import load, store


@pytest.fixture(scope="module")
def field() -> type[galois.FieldArray]:
    return galois.GF(2**64, irreducible_poly=galois.Poly.Int(MODULUS), verify=True)


def test_cantor_basis(field: type[galois.FieldArray]) -> None:
    v = field(list(cantor_basis()))
    assert int(v[0]) == 1
    assert np.array_equal(v[1:] ** 2 + v[1:], v[:-1])
    bits = [[element >> i & 1 for i in range(64)] for element in cantor_basis()]
    assert np.linalg.matrix_rank(galois.GF2(bits)) == 64


def test_point_values_are_basis_polynomials(field: type[galois.FieldArray]) -> None:
    """X_(i·2^m) = Π_j s_(m+j)(x)^(i_j), and s_k(x) is s_1 = x² + x done k times."""
    basis, values = cantor_basis(), point_values()
    for m in (11, 20, 31):
        point = field(basis[32 + m])
        s = [point]
        while len(s) < m + 6:
            s.append(s[-1] ** 2 + s[-1])
        for j in range(6):
            assert values[1 << j] == int(s[m + j])
    for i in range(64):
        expected = field(1)
        for j in range(6):
            expected *= field(values[1 << j]) if i >> j & 1 else field(1)
        assert values[i] == int(expected)


def test_encoding_tables_invert_each_other() -> None:
    tables, inverse = field_tables().encoding, field_tables().decoding
    words = np.random.default_rng(1).integers(0, 2**64, 100, dtype=np.uint64)
    for word in words:
        image = np.bitwise_xor.reduce(tables[range(8), list(word.tobytes())])
        assert np.bitwise_xor.reduce(inverse[range(8), list(image.tobytes())]) == word


@pytest.mark.parametrize("index_bits", range(1, 8))
def test_passes_convert_to_the_basis(index_bits: int) -> None:
    """Σ_k c_k X_k from the converted coefficients is the polynomial again."""
    size = 1 << index_bits
    f = np.random.default_rng(index_bits).integers(0, 2, size)
    c = f.copy()
    for log_h, log_s in passes(0, index_bits):
        h, s = 1 << log_h, 1 << log_s
        for block in c.reshape(-1, 2, h):
            block[1, :s] ^= block[1, h - s :]
            block[0, s:] ^= block[1, : h - s]
    subspace = [galois.Poly.Identity(galois.GF2)]
    while len(subspace) < index_bits:
        subspace.append(subspace[-1] ** 2 + subspace[-1])
    total = galois.Poly.Zero(galois.GF2)
    for k in np.flatnonzero(c):
        term = galois.Poly.One(galois.GF2)
        for b in range(index_bits):
            term *= subspace[b] if int(k) >> b & 1 else galois.Poly.One(galois.GF2)
        total += term
    assert total == galois.Poly(galois.GF2(f[::-1]))


@pytest.mark.parametrize("index_bits", range(16, 32))
def test_pass_plan_keeps_the_order(index_bits: int) -> None:
    plan = pass_plan(index_bits)
    assert [tuple(step) for part in plan for step in part.tolist()] == passes(0, index_bits)


@nb.njit
def multiply(how, x, y, z, products, sums):
    for i in range(0, x.size, 4):
        a, b, c = load(x, i), load(y, i), load(z, i)
        first, second = product(how, c, c)
        store(products, i, times(how, a, b))
        store(sums, i, sum_of_products(how, a, b, first, second))


def test_field_products(field: type[galois.FieldArray]) -> None:
    generator = np.random.default_rng(2)
    x, y, z = generator.integers(0, 2**64, (3, 400), dtype=np.uint64)
    x[:4], y[:4] = 2**64 - 1, 2**64 - 1
    x[4:68], y[4:68] = np.uint64(1) << np.arange(64, dtype=np.uint64), np.uint64(1 << 63)
    expected = field(x.astype(object)) * field(y.astype(object))
    squares = field(z.astype(object)) ** 2
    for how in available_multipliers():
        products, sums = np.empty_like(x), np.empty_like(x)
        multiply(how, x, y, z, products, sums)
        assert [int(p) for p in products] == [int(e) for e in expected]
        assert [int(s) for s in sums] == [int(e) for e in expected + squares]
