# For a Cortex-M4 with its floating point unit, or for what BOARD_FLAGS says; without an operating system or a C library.
if(NOT BOARD_FLAGS)
  set(BOARD_FLAGS "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16")
endif()
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BOARD_FLAGS)
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
# There is nothing to link a test program with.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# Loops stay loops: a call of strlen in their place would want a C library.
set(CMAKE_C_FLAGS_INIT "${BOARD_FLAGS} -mthumb -ffreestanding -ffunction-sections -fdata-sections -fno-tree-loop-distribute-patterns")
set(CMAKE_C_FLAGS_MINSIZEREL_INIT "-Os")
