"""Systems of the learned-ISP challenge; importing a module registers its systems."""

from . import casia as casia
from . import casia_teacher as casia_teacher
from . import channel as channel
from . import dann_isp as dann_isp
from . import enerzai_track1 as enerzai_track1
from . import enerzai_track2 as enerzai_track2
from . import hitzst01 as hitzst01
from . import jmu_cvlab as jmu_cvlab
from . import mialgo_track1 as mialgo_track1
from . import mialgo_track2 as mialgo_track2
from . import microisp as microisp
from . import mincho as mincho
from . import multimedia_syenet as multimedia_syenet
from . import pynet_v2_mobile as pynet_v2_mobile
from . import rainbow as rainbow
from . import skd_vsp as skd_vsp
