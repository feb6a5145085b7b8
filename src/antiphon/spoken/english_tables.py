"""English words for what is written short: months, units, currencies, abbreviations."""

from __future__ import annotations

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MONTH_OF = {name[:3].lower(): name for name in MONTHS} | {"sept": "September"}
WEEKDAY_OF = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "thur": "Thursday", "thurs": "Thursday",
    "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip

CURRENCIES = {
    "$": ("dollar", "cent"),
    "€": ("euro", "cent"),
    "£": ("pound", "penny"),
    "¥": ("yen", ""),
    "₩": ("won", ""),
    "₹": ("rupee", "paisa"),
    "USD": ("US dollar", "cent"),
    "US$": ("US dollar", "cent"),
    "CAD": ("Canadian dollar", "cent"),
    "C$": ("Canadian dollar", "cent"),
    "AUD": ("Australian dollar", "cent"),
    "A$": ("Australian dollar", "cent"),
    "EUR": ("euro", "cent"),
    "GBP": ("pound", "penny"),
    "JPY": ("yen", ""),
    "KRW": ("won", ""),
    "INR": ("rupee", "paisa"),
    "CHF": ("Swiss franc", "centime"),
}
NO_PLURAL = {"yen", "won", "paisa"}
SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "B": "billion", "bn": "billion", "T": "trillion",
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
}  # fmt: skip

UNITS = {
    "kg": "kilogram", "g": "gram", "mg": "milligram", "lb": "pound", "lbs": "pound", "oz": "ounce", "km": "kilometer", "m": "meter",
    "cm": "centimeter", "mm": "millimeter", "mi": "mile", "ft": "foot", "yd": "yard", "yds": "yard", "sq ft": "square foot",
    "sqft": "square foot", "m²": "square meter", "km²": "square kilometer", "ft²": "square foot", "m2": "square meter",
    "m³": "cubic meter", "mph": "mile per hour", "km/h": "kilometer per hour", "kph": "kilometer per hour", "kmh": "kilometer per hour",
    "m/s": "meter per second", "mpg": "mile per gallon", "ml": "milliliter", "mL": "milliliter", "l": "liter", "L": "liter",
    "gal": "gallon", "tsp": "teaspoon", "tbsp": "tablespoon", "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte",
    "GB": "gigabyte", "TB": "terabyte", "Mbps": "megabit per second", "Gbps": "gigabit per second", "kbps": "kilobit per second",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "W": "watt", "kW": "kilowatt", "kWh": "kilowatt hour",
    "V": "volt", "mAh": "milliamp hour", "kcal": "kilocalorie", "cal": "calorie", "ms": "millisecond", "s": "second", "sec": "second",
    "secs": "second", "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "yr": "year", "yrs": "year",
    "wk": "week", "wks": "week", "mo": "month", "mos": "month", "pt": "point", "pts": "point", "px": "pixel", "dpi": "dot per inch",
    "rpm": "revolution per minute", "bpm": "beat per minute", "dB": "decibel", "psi": "pound per square inch", "pcs": "piece",
    "°C": "degree Celsius", "°F": "degree Fahrenheit", "° C": "degree Celsius", "° F": "degree Fahrenheit", "℃": "degree Celsius",
    "℉": "degree Fahrenheit", "°": "degree", "K": "thousand", "k": "thousand", "x": "time", "bn": "billion", "mm²": "square millimeter",
}  # fmt: skip
UNCHANGED_UNITS = {"hertz", "kilohertz", "megahertz", "gigahertz", "thousand", "billion"}
PER = {
    "mo": "month", "month": "month", "yr": "year", "year": "year", "hr": "hour", "h": "hour", "hour": "hour", "day": "day",
    "week": "week", "wk": "week", "night": "night", "person": "person", "min": "minute", "minute": "minute", "sec": "second",
    "second": "second", "kg": "kilogram", "lb": "pound", "user": "user", "item": "item", "mile": "mile", "km": "kilometer", "unit": "unit",
    "each": "each", "call": "call", "seat": "seat", "visit": "visit", "session": "session", "hrs": "hour", "gallon": "gallon",
}  # fmt: skip

FRACTIONS = {
    "½": "half", "⅓": "third", "⅔": "two thirds", "¼": "quarter", "¾": "three quarters", "⅕": "fifth", "⅛": "eighth",
    "⅜": "three eighths", "⅝": "five eighths", "⅞": "seven eighths", "⅙": "sixth", "⅖": "two fifths", "⅗": "three fifths",
    "⅘": "four fifths",
}  # fmt: skip
DENOMINATORS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth", 16: "sixteenth"}

# What stands short for a word, dot and all. Those of BEFORE_A_NAME only where a capital follows.
BEFORE_A_NAME = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Mx": "Mix", "Prof": "Professor", "St": "Saint", "Gen": "General",
    "Sgt": "Sergeant", "Capt": "Captain", "Lt": "Lieutenant", "Col": "Colonel", "Rev": "Reverend", "Hon": "Honorable", "Sen": "Senator",
    "Rep": "Representative", "Gov": "Governor", "Pres": "President", "Mt": "Mount", "Ft": "Fort", "Msgr": "Monsignor", "Fr": "Father",
    "Sr": "Senior",
}  # fmt: skip
AFTER_A_STREET = {
    "St": "Street", "Dr": "Drive", "Ave": "Avenue", "Av": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane", "Ct": "Court",
    "Pl": "Place", "Sq": "Square", "Hwy": "Highway", "Pkwy": "Parkway", "Ter": "Terrace", "Cir": "Circle",
}  # fmt: skip
ALWAYS = {
    "e.g": "for example", "i.e": "that is", "etc": "et cetera", "vs": "versus", "approx": "approximately", "dept": "department",
    "Dept": "Department", "est": "established", "Est": "Established", "Inc": "Incorporated", "Ltd": "Limited", "Corp": "Corporation",
    "Bros": "Brothers", "Assn": "Association", "Jr": "Junior", "appt": "appointment", "Appt": "Appointment", "min": "minutes",
    "mins": "minutes", "hr": "hour", "hrs": "hours", "ext": "extension", "Ext": "Extension", "Apt": "Apartment", "apt": "apartment",
    "Ste": "Suite", "Blvd": "Boulevard", "Ave": "Avenue", "misc": "miscellaneous", "tel": "telephone", "Tel": "Telephone",
    "govt": "government", "Govt": "Government", "incl": "including", "excl": "excluding", "max": "maximum", "a.k.a": "also known as",
    "aka": "also known as", "cont": "continued", "Univ": "University", "Mgr": "Manager", "Asst": "Assistant", "Attn": "Attention",
    "attn": "attention", "Fig": "Figure", "fig": "figure", "Vol": "Volume", "vol": "volume", "Ch": "Chapter", "pp": "pages",
    "Ph.D": "P H D", "M.D": "M D", "Mr": "Mister", "Mrs": "Missus", "cf": "compare", "et al": "and others", "P.S": "P S",
    "E.g": "For example", "I.e": "That is", "Jan": "January", "Feb": "February", "Aug": "August", "Sept": "September",
    "Oct": "October", "Nov": "November", "Dec": "December",
}  # fmt: skip
WITHOUT_A_DOT = {
    "vs",
    "etc",
    "aka",
    "Blvd",
    "Ave",
    "Mr",
    "Mrs",
    "Dr",
    "Dept",
    "dept",
    "approx",
    "appt",
    "Appt",
    "Attn",
    "Prof",
}
"""Those that are often written without their dot, and are no words."""

DOMAINS = frozenset(
    (
        "com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "name", "pro", "app", "dev", "shop", "store", "blog",
        "online", "site", "tech", "cloud", "io", "ai", "co", "uk", "us", "ca", "au", "nz", "de", "fr", "es", "it", "nl", "be",
        "ch", "at", "se", "no", "dk", "fi", "ie", "in", "jp", "kr", "cn", "tv", "me", "eu",
    )
)  # fmt: skip
WORDS_OF_DOMAINS = frozenset(
    (
        "com", "co", "org", "net", "edu", "gov", "mil", "info", "biz", "name", "pro", "app", "dev", "shop", "store", "blog",
        "online", "site", "tech", "cloud", "me",
    )
)  # fmt: skip
"""Said as words; the others letter by letter."""
