// Reads a TorchScript file; its large tensors stay in the file and are mapped.
#ifndef PYTORCH_MAPPED_H
#define PYTORCH_MAPPED_H

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

namespace assay_torch
{

// As torch::jit::load, which throws; one file at a time, of any thread.
torch::jit::Module mapped_load(const char *path, at::Device device,
                               torch::jit::ExtraFilesMap &extra);

} // namespace assay_torch

#endif
