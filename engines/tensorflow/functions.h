/* The functions of TensorFlow's C API that the engine calls: X(NAME) for each.  Each is looked up
 * when the library is loaded, so one that is missing is named. */
#ifndef TENSORFLOW_FUNCTIONS_H
#define TENSORFLOW_FUNCTIONS_H

#define TENSORFLOW_FUNCTIONS(X)                                                                    \
    X(TF_Version)                                                                                  \
    X(TF_NewStatus)                                                                                \
    X(TF_DeleteStatus)                                                                             \
    X(TF_GetCode)                                                                                  \
    X(TF_Message)                                                                                  \
    X(TF_NewBuffer)                                                                                \
    X(TF_DeleteBuffer)                                                                             \
    X(TF_NewGraph)                                                                                 \
    X(TF_DeleteGraph)                                                                              \
    X(TF_NewImportGraphDefOptions)                                                                 \
    X(TF_DeleteImportGraphDefOptions)                                                              \
    X(TF_GraphImportGraphDef)                                                                      \
    X(TF_GraphNextOperation)                                                                       \
    X(TF_GraphOperationByName)                                                                     \
    X(TF_GraphGetTensorNumDims)                                                                    \
    X(TF_GraphGetTensorShape)                                                                      \
    X(TF_OperationName)                                                                            \
    X(TF_OperationOpType)                                                                          \
    X(TF_OperationNumOutputs)                                                                      \
    X(TF_OperationOutputType)                                                                      \
    X(TF_OperationOutputNumConsumers)                                                              \
    X(TF_NewSessionOptions)                                                                        \
    X(TF_DeleteSessionOptions)                                                                     \
    X(TF_SetConfig)                                                                                \
    X(TF_NewSession)                                                                               \
    X(TF_LoadSessionFromSavedModel)                                                                \
    X(TF_CloseSession)                                                                             \
    X(TF_DeleteSession)                                                                            \
    X(TF_SessionRun)                                                                               \
    X(TF_SessionListDevices)                                                                       \
    X(TF_DeleteDeviceList)                                                                         \
    X(TF_DeviceListCount)                                                                          \
    X(TF_DeviceListType)                                                                           \
    X(TF_GetRegisteredKernelsForOp)                                                                \
    X(TF_NewTensor)                                                                                \
    X(TF_DeleteTensor)                                                                             \
    X(TF_TensorType)                                                                               \
    X(TF_NumDims)                                                                                  \
    X(TF_Dim)                                                                                      \
    X(TF_TensorData)                                                                               \
    X(TF_TensorByteSize)

#endif
