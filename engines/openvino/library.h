/* OpenVINO's C library: loaded when it is first needed, never unloaded. */
#ifndef OPENVINO_LIBRARY_H
#define OPENVINO_LIBRARY_H

#include <openvino/c/ov_core.h>

#include "assay/types.h"

/* Every function of the library that is called here; the table's members have their types. */
#define LIBRARY_FUNCTIONS(ROW)                                                                     \
    ROW(ov_get_openvino_version)                                                                   \
    ROW(ov_version_free)                                                                           \
    ROW(ov_get_error_info)                                                                         \
    ROW(ov_get_last_err_msg)                                                                       \
    ROW(ov_free)                                                                                   \
    ROW(ov_core_create)                                                                            \
    ROW(ov_core_free)                                                                              \
    ROW(ov_core_get_property)                                                                      \
    ROW(ov_core_get_available_devices)                                                             \
    ROW(ov_available_devices_free)                                                                 \
    ROW(ov_core_read_model)                                                                        \
    ROW(ov_core_compile_model)                                                                     \
    ROW(ov_model_free)                                                                             \
    ROW(ov_model_inputs_size)                                                                      \
    ROW(ov_model_outputs_size)                                                                     \
    ROW(ov_model_const_input_by_index)                                                             \
    ROW(ov_model_const_input_by_name)                                                              \
    ROW(ov_model_const_output_by_index)                                                            \
    ROW(ov_model_const_output_by_name)                                                             \
    ROW(ov_model_reshape_by_port_indexes)                                                          \
    ROW(ov_port_get_any_name)                                                                      \
    ROW(ov_port_get_element_type)                                                                  \
    ROW(ov_port_get_partial_shape)                                                                 \
    ROW(ov_output_const_port_free)                                                                 \
    ROW(ov_partial_shape_create)                                                                   \
    ROW(ov_partial_shape_free)                                                                     \
    ROW(ov_shape_free)                                                                             \
    ROW(ov_compiled_model_get_property)                                                            \
    ROW(ov_compiled_model_create_infer_request)                                                    \
    ROW(ov_compiled_model_free)                                                                    \
    ROW(ov_infer_request_set_input_tensor_by_index)                                                \
    ROW(ov_infer_request_get_input_tensor_by_index)                                                \
    ROW(ov_infer_request_get_output_tensor_by_index)                                               \
    ROW(ov_infer_request_infer)                                                                    \
    ROW(ov_infer_request_get_profiling_info)                                                       \
    ROW(ov_profiling_info_list_free)                                                               \
    ROW(ov_infer_request_free)                                                                     \
    ROW(ov_tensor_create_from_host_ptr)                                                            \
    ROW(ov_tensor_get_shape)                                                                       \
    ROW(ov_tensor_get_element_type)                                                                \
    ROW(ov_tensor_get_byte_size)                                                                   \
    ROW(ov_tensor_data)                                                                            \
    ROW(ov_tensor_free)

#define LIBRARY_MEMBER(name) __typeof__(name) *(name);

struct library {
    LIBRARY_FUNCTIONS(LIBRARY_MEMBER)
    char version[64];
    char path[512]; /* the file */
};

/* From the folder that the host keeps for us, else by the system's loader. */
int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err);
/* "CPU, GPU.0": what this installation can compute on. */
void library_devices(const struct library *lib, const ov_core_t *core, char *out, size_t cap);
/* Says what the status and the library's own last message say, in one line behind the prefix.
 * Returns ASSAY_EFAIL. */
int library_error(const struct library *lib, ov_status_e status, const char *prefix,
                  struct assay_err *err);

#endif
