//! The model files: names, blobs, manifests, Modelfiles.
