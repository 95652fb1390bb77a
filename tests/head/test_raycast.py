"""The triangle under a pixel is the nearest of all that cover it, and hides what lies behind it."""

import numpy as np
import pytest

from realism.faces.mesh import mesh_triangles
from realism.head.fit import fit_head
from realism.head.raycast import ProjectedSurface, barycentric
from realism.head.transfer import raycast_mesh


@pytest.fixture(scope="module")
def face(mei, engine):
    return engine.find(mei[1].pixels)[0]  # turned: its nose hides a part of its cheek


@pytest.fixture(scope="module")
def head(face):
    return fit_head(face.mesh, (512, 512))


def by_definition(surface: ProjectedSurface, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangle and depth of the nearest hit: every triangle is tried under every point."""
    corners = surface.pixels[surface.triangles].astype(np.float64)
    weights = barycentric(points[:, None], corners)
    depth = (surface.depth[surface.triangles] * weights).sum(2)
    depth = np.where((weights >= 0).all(2), depth, np.inf)
    return depth.argmin(1), depth.min(1)


def points_on(pixels: np.ndarray, count: int) -> np.ndarray:
    low, high = pixels.min(0) - 20, pixels.max(0) + 20
    return np.random.default_rng(0).uniform(low, high, (count, 2))


def test_on_the_head_every_ray_finds_what_trying_all_triangles_finds(head):
    points = points_on(head.pixels, 300)
    hits = head.surface.raycast(points)
    triangle, depth = by_definition(head.surface, points)
    assert 50 < hits.found.sum() < 290
    assert np.array_equal(hits.found, np.isfinite(depth))
    assert np.array_equal(hits.triangle[hits.found], triangle[hits.found])
    assert np.allclose(hits.depth[hits.found], depth[hits.found])
    corners = head.pixels[head.surface.triangles[hits.triangle]]
    back = (corners * hits.weights[..., None]).sum(1)
    assert np.allclose(back[hits.found], points[hits.found])


def test_the_mesh_is_cast_by_the_same_rays_and_ends_at_its_outline(face):
    mesh = face.mesh.astype(np.float64)
    points = points_on(mesh[:, :2], 300)
    triangle, weights, inside = raycast_mesh(points, mesh)
    surface = ProjectedSurface(mesh[:, :2], mesh[:, 2], mesh_triangles())
    expected, depth = by_definition(surface, points)
    assert np.array_equal(inside, np.isfinite(depth)) and 100 < inside.sum() < 290
    assert np.array_equal(triangle[inside], expected[inside])
    at = (mesh[mesh_triangles()[triangle], :2] * weights[..., None]).sum(1)
    assert np.allclose(at[inside], points[inside])
    # Outside, the nearest part of the mesh: no point of the mesh is nearer.
    gap = np.linalg.norm(at - points, axis=1)
    nearest = np.linalg.norm(mesh[None, :, :2] - points[:, None], axis=2).min(1)
    assert (gap[~inside] <= nearest[~inside] + 1e-9).all()


def test_a_surface_hides_what_lies_behind_it_by_more_than_the_margin():
    pixels = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    surface = ProjectedSurface(pixels, np.full(3, 100.0), np.array([[0, 1, 2]]))
    points = np.array([[2.0, 2.0], [2.0, 2.0], [2.0, 2.0], [8.0, 8.0], [-3.0, 2.0]])
    depth = np.array([106.0, 103.0, 90.0, 106.0, 106.0])
    assert surface.hides(points, depth, 4.0).tolist() == [True, False, False, False, False]


def test_points_on_an_edge_or_a_corner_of_a_triangle_are_on_the_surface():
    pixels = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    surface = ProjectedSurface(pixels, np.arange(4.0), np.array([[0, 1, 2], [1, 3, 2]]))
    hits = surface.raycast(np.array([[0.0, 0.0], [10.0, 10.0], [5.0, 5.0], [10.0, 3.0]]))
    assert hits.found.all()
    assert np.allclose(hits.depth, [0.0, 3.0, 1.5, 1.6])
    assert surface.raycast(np.zeros((0, 2))).depth.shape == (0,)
