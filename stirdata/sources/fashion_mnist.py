"""Fashion-MNIST, in the format of MNIST.

Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", arXiv 1708.07747.
"""

from stirdata.sources.mnist import IdxFiles

FASHION_MNIST = IdxFiles("fashion-mnist", "Fashion-MNIST")
load = FASHION_MNIST.load
labelled = FASHION_MNIST.labelled
describe = FASHION_MNIST.describe
folder_in = FASHION_MNIST.folder_in
remote_files = FASHION_MNIST.remote_files
