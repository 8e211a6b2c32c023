"""Fictional names, equipment, faults and phrases for the demo data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.domain.model import PartUsed


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one kind of equipment, and its repair."""

    category: str
    description: str
    diagnosis: str
    remedy: str
    part: PartUsed


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of medical equipment. The required skill of an engineer has the same name."""

    name: str
    noun: str
    models: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...]


def _part(number: str, name: str, cost: str, quantity: int = 1) -> PartUsed:
    return PartUsed(number, name, quantity, Decimal(cost))


def _kind(name: str, noun: str, models: tuple[tuple[str, str], ...], *faults: Fault) -> Kind:
    return Kind(name, noun, models, faults)


KINDS = (
    _kind(
        "MRI",
        "MRI scanner",
        (("Halvorn Imaging", "Auriga 1.5T"), ("Halvorn Imaging", "Auriga 3.0T"), ("Tessaro", "OpenField 70")),
        Fault(
            "Cooling",
            "Helium level fell from 78 % to 61 % within a week; the cold head sounds louder than usual.",
            "Cold head worn; the compressor's adsorber is past its service life.",
            "Replaced the cold head and the adsorber, leak-tested, recorded helium level and pressure.",
            _part("AU-CH-4100", "Cold head, 4 K", "18450.00"),
        ),
        Fault(
            "Image quality",
            "Ghosting along the phase direction on every brain sequence since this morning.",
            "One element of the head coil has no signal; its plug has a bent pin.",
            "Replaced the coil connector, ran the signal-to-noise test on all 16 channels.",
            _part("AU-RF-0162", "Coil connector, 16 channels", "1240.00"),
        ),
        Fault(
            "Gradient",
            "Scan aborts with a gradient fault on diffusion sequences.",
            "The Y gradient amplifier shuts down under load; a power stage is faulty.",
            "Replaced the power stage, calibrated eddy currents, ran a 30-minute load test.",
            _part("AU-GA-2207", "Gradient power stage", "9800.00"),
        ),
    ),
    _kind(
        "CT",
        "CT scanner",
        (
            ("Halvorn Imaging", "Rotara 64"),
            ("Tessaro", "SwiftView 128"),
            ("Kestrel Diagnostics", "K-Slice 32"),
        ),
        Fault(
            "Tube",
            "Tube arcs and the scan stops at 140 kV. Two patients had to be sent away.",
            "X-ray tube at its end of life: 412 arcs in the log of the last seven days.",
            "Replaced the X-ray tube, conditioned it, calibrated air and water values.",
            _part("RO-XT-0640", "X-ray tube assembly", "64200.00"),
        ),
        Fault(
            "Image quality",
            "Ring artefacts in the centre of the image on all protocols.",
            "Two channels of detector module 14 drift.",
            "Replaced detector module 14, ran the full detector calibration.",
            _part("RO-DM-0014", "Detector module", "5350.00"),
        ),
        Fault(
            "Mechanical",
            "The table stops between positions and reports a collision that is not there.",
            "The table's collision sensor strip is torn at the foot end.",
            "Replaced the sensor strip, checked the travel over the whole length.",
            _part("RO-TS-0031", "Collision sensor strip", "310.50"),
        ),
    ),
    _kind(
        "X-ray",
        "X-ray system",
        (("Kestrel Diagnostics", "Lumen DR"), ("Tessaro", "MobileRay 200"), ("Orrin Medical", "BuckyOne")),
        Fault(
            "Detector",
            "The flat panel loses its wireless link in the middle of an exposure.",
            "The detector's battery contact is corroded, so its voltage drops during read-out.",
            "Replaced the battery and its contact block, checked the link in both rooms.",
            _part("LU-BT-0220", "Detector battery", "485.00", 2),
        ),
        Fault(
            "Collimator",
            "The light field and the exposed field are two centimetres apart.",
            "The collimator's mirror has come loose.",
            "Replaced the mirror holder, aligned the light field, documented the deviation.",
            _part("LU-CL-0107", "Collimator mirror holder", "164.90"),
        ),
        Fault(
            "Generator",
            "No exposure: the generator shows E-41 after the preparation step.",
            "The rotor control board gets no feedback from the tube.",
            "Replaced the rotor control board, measured dose at four settings.",
            _part("LU-GN-0041", "Rotor control board", "2130.00"),
        ),
    ),
    _kind(
        "Ultrasound",
        "ultrasound system",
        (("Sonaria", "Echo S5"), ("Sonaria", "Echo P2 portable"), ("Orrin Medical", "WaveOne")),
        Fault(
            "Probe",
            "Dark stripes in the image of the convex probe; the linear probe is fine.",
            "Nine elements of the convex probe are dead; the lens is delaminating.",
            "Replaced the probe, ran the element test, cleaned the probe port.",
            _part("EC-PC-0051", "Convex probe, 2-5 MHz", "4290.00"),
        ),
        Fault(
            "Power",
            "The system switches off after ten minutes and is hot at the back.",
            "Fan of the power supply blocked by dust and seized.",
            "Replaced the fan module, cleaned all filters, ran it for two hours.",
            _part("EC-FN-0012", "Fan module", "142.00"),
        ),
        Fault(
            "Software",
            "Studies are not sent to the archive; the queue shows 34 pending exams.",
            "The archive's certificate was renewed and the system still trusts the old one.",
            "Installed the new certificate and a network card with current firmware, emptied the queue.",
            _part("EC-NW-0009", "Network card", "96.00"),
        ),
    ),
    _kind(
        "Ventilator",
        "ventilator",
        (("Brevia", "Aero 700"), ("Brevia", "Aero T transport"), ("Calder Vital", "PulmoCare 3")),
        Fault(
            "Flow sensor",
            "Tidal volume reads 20 % too low and the alarm cannot be cleared. Taken out of use.",
            "The expiratory flow sensor drifts and fails its calibration.",
            "Replaced the flow sensor, passed the full self-test and the leak test.",
            _part("AE-FS-0071", "Expiratory flow sensor", "219.00"),
        ),
        Fault(
            "Battery",
            "Runs for four minutes on battery instead of forty.",
            "The battery pack is at 11 % of its capacity after 900 cycles.",
            "Replaced the battery pack, ran a complete discharge test.",
            _part("AE-BP-0400", "Battery pack, 24 V", "388.00"),
        ),
        Fault(
            "Oxygen",
            "Oxygen concentration shows 100 % at every setting.",
            "The oxygen cell is used up.",
            "Replaced the oxygen cell, calibrated at 21 % and at 100 %.",
            _part("AE-OC-0021", "Oxygen cell", "127.50"),
        ),
    ),
    _kind(
        "Infusion pump",
        "infusion pump",
        (("Calder Vital", "Infuse LX"), ("Medivance", "DripMaster 2"), ("Medivance", "Syringa 50")),
        Fault(
            "Occlusion alarm",
            "Reports an occlusion with every set, also without a patient connected.",
            "The downstream pressure sensor is out of range.",
            "Replaced the pressure sensor, calibrated it at three pressures.",
            _part("IX-PS-0033", "Pressure sensor", "74.20"),
        ),
        Fault(
            "Accuracy",
            "Delivers 9 % too much at 100 ml/h, found at the yearly inspection.",
            "The peristaltic fingers are worn.",
            "Replaced the pumping mechanism, measured the rate over one hour.",
            _part("IX-PM-0100", "Pumping mechanism", "265.00"),
        ),
        Fault(
            "Housing",
            "Fell from the pole; the door does not latch any more.",
            "Door latch and hinge broken, electronics unharmed.",
            "Replaced the door, tested the air detector and the latch switch.",
            _part("IX-DR-0008", "Door with latch", "58.00"),
        ),
    ),
    _kind(
        "Dialysis",
        "dialysis machine",
        (("Renalis", "HD 500"), ("Renalis", "HD 900 Duo"), ("Calder Vital", "ClearFlow 4")),
        Fault(
            "Conductivity",
            "Conductivity alarm in the middle of treatment; the patient was moved to another machine.",
            "The bicarbonate pump doses unevenly; its valve is calcified.",
            "Replaced the dosing pump, decalcified, verified with a reference meter.",
            _part("HD-DP-0052", "Dosing pump", "640.00"),
        ),
        Fault(
            "Leak",
            "Water under the machine after heat disinfection.",
            "The seal of the heater housing has hardened.",
            "Replaced the seal kit, ran two disinfection cycles without a drop.",
            _part("HD-SK-0017", "Heater seal kit", "45.80"),
        ),
        Fault(
            "Blood leak alarm",
            "Blood leak alarm that returns with every new dialyser.",
            "The optical detector is dirty and its lamp is weak.",
            "Replaced the detector, adjusted its threshold, ran a test treatment.",
            _part("HD-BL-0029", "Blood leak detector", "512.00"),
        ),
    ),
    _kind(
        "Patient monitor",
        "patient monitor",
        (("Vigilis", "VM-8"), ("Vigilis", "VM-12 Central"), ("Orrin Medical", "SenseBed")),
        Fault(
            "SpO2",
            "No SpO2 value with any finger sensor at bed 4.",
            "The SpO2 board does not drive the sensor's red diode.",
            "Replaced the SpO2 board, checked it with the simulator at 70, 85 and 98 %.",
            _part("VM-SP-0301", "SpO2 board", "430.00"),
        ),
        Fault(
            "Blood pressure",
            "The cuff inflates and then the measurement stops with 'air leak'.",
            "The hose connector is cracked and the pump valve leaks.",
            "Replaced hose and valve, leak test below 3 mmHg in one minute.",
            _part("VM-NB-0044", "Pump valve with hose", "88.00"),
        ),
        Fault(
            "Display",
            "The screen flickers and goes dark when the bed is moved.",
            "The display cable is broken at the swivel arm.",
            "Replaced the display cable, secured it at the arm.",
            _part("VM-CB-0110", "Display cable", "39.90"),
        ),
    ),
    _kind(
        "Anaesthesia",
        "anaesthesia workstation",
        (("Brevia", "Somna A5"), ("Calder Vital", "Lethe 2"), ("Brevia", "Somna Compact")),
        Fault(
            "Leak",
            "The self-test fails: leakage of 480 ml/min in the breathing circuit.",
            "The seal of the absorber canister is torn.",
            "Replaced the absorber seals, passed the self-test three times.",
            _part("SO-AB-0005", "Absorber seal set", "64.00"),
        ),
        Fault(
            "Vaporizer",
            "Sevoflurane reads 1.2 % at a setting of 2 %.",
            "The vaporizer's output is out of tolerance; the gas monitor is correct.",
            "Exchanged the vaporizer, verified its output at five settings.",
            _part("SO-VP-0220", "Vaporizer, exchange unit", "3150.00"),
        ),
        Fault(
            "Ventilation",
            "The bellows do not return to the top in volume mode.",
            "The exhaust valve's diaphragm is stuck.",
            "Replaced the diaphragm, calibrated flow and pressure.",
            _part("SO-DI-0018", "Exhaust valve diaphragm", "112.40"),
        ),
    ),
    _kind(
        "Defibrillator",
        "defibrillator",
        (("Vigilis", "Pulse R"), ("Medivance", "HeartGuard AED"), ("Orrin Medical", "ReStart 360")),
        Fault(
            "Self-test",
            "The daily self-test failed; the red cross shows in the status window.",
            "The high-voltage capacitor charges too slowly.",
            "Replaced the capacitor, measured the energy of ten shocks at 200 J.",
            _part("PR-HV-0200", "High-voltage capacitor", "720.00"),
        ),
        Fault(
            "Battery",
            "Low battery warning directly after a full charge.",
            "The battery has lost a cell.",
            "Replaced the battery, ran the capacity test.",
            _part("PR-BT-0012", "Lithium battery", "295.00"),
        ),
        Fault(
            "Printer",
            "The ECG strip stays blank and the paper jams.",
            "The roller of the printer is worn and its head is dirty.",
            "Replaced the printer module, printed test strips.",
            _part("PR-PR-0006", "Printer module", "178.00"),
        ),
    ),
)

HOSPITALS = (
    "Ashbourne General Hospital", "Beacon Hill Children's Hospital", "Bellmere Dialysis Centre",
    "Brookhaven University Hospital", "Calloway Heart Institute", "Cedar Valley Medical Centre",
    "City Clinic Marlow", "Eastgate Emergency Hospital", "Fairmont Women's Clinic",
    "Glenrock District Hospital", "Harbour View Hospital", "Holmfirth Community Hospital",
    "Ivybridge Orthopaedic Clinic", "Kingsmere Cancer Centre", "Lakeside Regional Hospital",
    "Larchmont Surgical Centre", "Maple Grove Hospital", "Northfield Trauma Centre",
    "Oakhurst Rehabilitation Clinic", "Pinewood Pulmonary Clinic", "Queensbridge Teaching Hospital",
    "Riverside Memorial Hospital", "Rosewell Maternity Hospital", "St. Alban's Hospital",
    "St. Brigid Infirmary", "Stonefield Diagnostics", "Summit Ridge Hospital", "Thornbury Eye Clinic",
    "Westmoor County Hospital", "Wexcombe Imaging Centre",
)  # fmt: skip

REGIONS = ("North", "East", "South", "West", "Central")

FIRST_NAMES = (
    "Aisha", "Alan", "Amara", "Ana", "Arjun", "Beatriz", "Carlos", "Chen", "Clara", "Daniel", "Deepa", "Elif",
    "Emeka", "Eva", "Farid", "Grace", "Hana", "Henrik", "Ines", "Ivan", "James", "Jonas", "Kavya", "Leila",
    "Liam", "Mara", "Mateo", "Mei", "Nadia", "Nikhil", "Olga", "Omar", "Paula", "Priya", "Ravi", "Rosa",
    "Samuel", "Sofia", "Tomasz", "Yuki",
)  # fmt: skip

LAST_NAMES = (
    "Abbott", "Almeida", "Bauer", "Bergström", "Chandra", "Costa", "Demir", "Dubois", "Eriksen", "Farouk",
    "Fischer", "Garcia", "Haddad", "Hughes", "Iyer", "Jansen", "Kaplan", "Keller", "Kowalski", "Larsen",
    "Lin", "Marino", "Mehta", "Moreau", "Nakamura", "Novak", "Obi", "Okafor", "Patel", "Petrov", "Quinn",
    "Rahman", "Reyes", "Rossi", "Sato", "Sharma", "Silva", "Tanaka", "Vargas", "Weber",
)  # fmt: skip

ESCALATION_REASONS = (
    "The fault is still there after all steps of the service manual; needs somebody with factory training.",
    "Needs a calibration tool that this tier does not have.",
    "No answer within the response time of the contract.",
    "The fault is in the firmware; needs access to the maker's service software.",
    "Third failure of the same part this quarter; the cause must be found.",
    "The repair needs two people and a crane; not possible at this tier.",
)

REJECTION_REASONS = (
    "On another emergency until tomorrow evening.",
    "Not certified for this model.",
    "More than four hours away; a colleague is closer.",
    "On sick leave from today.",
    "No access to the clean area before next week.",
)

REASSIGNMENT_REASONS = (
    "Shift ended; handed over to the night shift.",
    "A colleague is on site at the same hospital already.",
    "Workload: the engineer holds too many critical tickets.",
    "The hospital asked for the engineer who knows this machine.",
)

CANCELLATION_REASONS = (
    "The visit was planned for the wrong day.",
    "The engineer's van broke down; the ticket goes back to dispatch.",
    "Assigned to the wrong team by mistake.",
)

WITHDRAWAL_REASONS = (
    "The hospital withdrew the request: the fault did not come back.",
    "Duplicate of another ticket.",
    "The machine is being replaced; no repair wanted.",
)

ASSIGNMENT_REASONS = (
    "Closest engineer with the skill.",
    "Knows this machine from an earlier visit.",
    "On call this week.",
    "Lowest workload in the region.",
)

UNAVAILABLE_NOTES = (
    "The room was in use for an emergency; the ward asks for another day.",
    "Nobody could open the equipment room.",
    "The machine was connected to a patient and could not be released.",
)

FEEDBACK = {
    1: (
        "Waited far too long, and it failed again the next day.",
        "No information on when to expect help.",
    ),  # language: quoted
    2: ("Repaired in the end, but only after several visits.", None),
    3: ("Fine, though the paperwork took longer than the repair.", None),
    4: ("Good work, friendly.", "Quick once the part was here.", None),
    5: ("On site within two hours and explained everything.", "Thank you, you saved our list today!", None),
}
"""Feedback by rating; None: a rating without feedback."""
