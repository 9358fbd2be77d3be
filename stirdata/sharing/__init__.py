"""Datasets as other tools read them, and pages that say what they are."""

FORMS = {
    "imagefolder": "stirdata.sharing.image_folder:ImageFolder",
    "webdataset": "stirdata.sharing.web_dataset:WebDataset",
    "parquet": "stirdata.sharing.arrow_files:Parquet",
    "huggingface": "stirdata.sharing.arrow_files:SavedToDisk",
    "numpy": "stirdata.sharing.array_files:NumPyFiles",
    "torch": "stirdata.sharing.array_files:TorchFiles",
}
"""What a dataset can be exported to, and the class that writes it, which is imported when it is asked for."""
SHARD_SIZE = 10_000
"""Images per file, where a split may be several."""
