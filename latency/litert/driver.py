"""Which Vulkan driver LiteRT's GPU backend can use here: a real one, else a software one."""

from __future__ import annotations

import ctypes.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

_ICD_FOLDERS = (Path("/etc/vulkan/icd.d"), Path("/usr/share/vulkan/icd.d"))
_CHROMIUM_FOLDERS = (Path("/usr/lib/chromium"), Path("/opt/google/chrome"))
_SOFTWARE = ("lvp_", "swiftshader")


@dataclass(frozen=True, slots=True)
class VulkanDriver:
    """An ICD description file; `loader_folder` holds libvulkan.so.1 if the system has none."""

    icd: Path
    loader_folder: Path | None = None

    @property
    def software(self) -> bool:
        """Whether it runs on the CPU: its timings are no GPU's."""
        return any(mark in self.icd.name for mark in _SOFTWARE)

    def environment(self) -> dict[str, str]:
        """Environment variables for a process that is to use this driver."""
        found = {"VK_ICD_FILENAMES": str(self.icd), "VK_DRIVER_FILES": str(self.icd)}
        if self.loader_folder:
            paths = [str(self.loader_folder), os.environ.get("LD_LIBRARY_PATH", "")]
            found["LD_LIBRARY_PATH"] = ":".join(filter(None, paths))
        found["XDG_RUNTIME_DIR"] = os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir())
        return found


def find_vulkan_driver() -> VulkanDriver | None:
    """The driver of VK_ICD_FILENAMES, else a real one, else a software one, else None."""
    named = os.environ.get("VK_ICD_FILENAMES", "").split(":")[0]
    candidates = [Path(named)] if named else _installed()
    loader = ctypes.util.find_library("vulkan")
    for icd in candidates:
        if not icd.is_file():
            continue
        if loader:
            return VulkanDriver(icd)
        beside = next((f for f in _CHROMIUM_FOLDERS if (f / "libvulkan.so.1").is_file()), None)
        if beside:
            return VulkanDriver(icd, beside)
    return None


def _installed() -> list[Path]:
    system = [icd for folder in _ICD_FOLDERS for icd in sorted(folder.glob("*.json"))]
    chromium = [folder / "vk_swiftshader_icd.json" for folder in _CHROMIUM_FOLDERS]
    real = [icd for icd in system if not any(mark in icd.name for mark in _SOFTWARE)]
    return real + [icd for icd in system if icd not in real] + chromium
