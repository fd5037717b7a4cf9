# The device agent as a CMake package: find_package(forecall-agent CONFIG REQUIRED) gives the target Forecall::agent.
#
# FORECALL_AGENT_LIBRARY is libagent_sdk_ffi.a as cargo built it for the board:
#
#   cargo rustc --package agent-sdk-ffi --lib --crate-type staticlib --profile firmware \
#     --features no-panic-proof --target thumbv7em-none-eabihf

if(NOT EXISTS "${FORECALL_AGENT_LIBRARY}")
  set(forecall-agent_FOUND FALSE)
  set(forecall-agent_NOT_FOUND_MESSAGE "FORECALL_AGENT_LIBRARY is not set to the library that cargo built: '${FORECALL_AGENT_LIBRARY}'")
  return()
endif()

if(NOT TARGET Forecall::agent)
  add_library(Forecall::agent STATIC IMPORTED)
  set_target_properties(Forecall::agent PROPERTIES
    IMPORTED_LOCATION "${FORECALL_AGENT_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}/../include")
  # What Arm's tables for unwinding name. A program that cannot unwind leaves them out.
  set_property(TARGET Forecall::agent PROPERTY INTERFACE_LINK_OPTIONS
    "LINKER:--defsym=__aeabi_unwind_cpp_pr0=0" "LINKER:--defsym=__aeabi_unwind_cpp_pr1=0")
endif()
