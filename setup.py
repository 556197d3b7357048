"""Which folders are packages; all else stands in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["actcl_tf*"]), "actcl_tf_tools", "actcl_tf_tools.configs"],
    # Installed, `tools` and `configs` would be anybody's names.
    package_dir={"actcl_tf_tools": "tools", "actcl_tf_tools.configs": "configs"},
    package_data={"actcl_tf_tools.configs": ["*.cfg"]},
)
