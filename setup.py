"""Which folders are packages: all below ``stirdata``, so that a new one is never left out of the wheel."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["stirdata", "stirdata.*"]), "stirdata.cli", "stirdata.manifests"])
