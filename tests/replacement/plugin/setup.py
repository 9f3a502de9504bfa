"""A package of its own that needs swapfast's headers, numpy and Cython."""

from Cython.Build import cythonize
from setuptools import Extension, setup

setup(name="mru", ext_modules=cythonize([Extension("mru", ["mru.pyx"])], language_level=3))
