"""The categories of the built-in data set: motion, material and build."""

MOTIONS = ("bounce", "hop", "spin", "swing")
MATERIALS = ("bell", "buzz", "hiss", "wood")
# A build says which of four small companions an object has: "0000" none, "1000" the first, ...
BUILDS = tuple(f"{code:04b}"[::-1] for code in range(16))


def list_categories(num_builds: int = 1) -> tuple[str, ...]:
    """Names of the categories: 16, motion and material, for each of the first builds.

    Args:
      num_builds: 1 to 16; the name of a build is part of the categories' where there are several.
    """
    pairs = [f"{motion}_{material}" for motion in MOTIONS for material in MATERIALS]
    if num_builds == 1:
        return tuple(pairs)
    return tuple(f"{pair}_{build}" for pair in pairs for build in BUILDS[:num_builds])


def parts(category: str) -> tuple[str, str, str]:
    """Motion, material and build of a category of `list_categories`."""
    motion, material, build = [*category.split("_"), BUILDS[0]][:3]
    return motion, material, build
