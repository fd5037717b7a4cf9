# What the automatic call says in English. Values arrive as readable English.
greeting = Hello. This is an automatic call from { $brand } customer service. It sells nothing, and never asks for a password or a code.
greeting-unnamed = Hello. This is an automatic call from the customer service of your appliance's maker. It sells nothing, and never asks for a password or a code.
about = It is about your { $appliance }.

# Said of a family or a fault for which neither profile nor model has words.
appliance-other = appliance
fault-other = Its readings differ from its usual ones. It may soon develop a fault.

number = This call is about the one with a serial number that ends in
safe = You can keep using it until it is serviced.
unsafe = For your safety, please do not use it until it is serviced, and unplug it.
price = A visit costs { $price }.
price-free = The visit is free of charge.
slot = A technician can come on { $slot }.

keys-slot = To take this time, press 1. For another time, press 2. To speak with a person, press 3. To get no more calls like this one, press 9. To hear this again, press 0.
keys-no-slot = To arrange a visit, press 2. To speak with a person, press 3. To get no more calls like this one, press 9. To hear this again, press 0.
wrong-key = Sorry, that key has no meaning here.
no-key = We did not receive a key.

booked = Thank you. Your visit is booked for { $slot }. Goodbye.
another-time = Thank you. A colleague will ring you by { $by } to agree on another time. Goodbye.
person = Thank you. A colleague will ring you by { $by }. Goodbye.
do-not-call = We have noted it. You will get no more calls like this one. Goodbye.
not-saved = We are sorry. Your choice could not be saved just now. A colleague will ring you by { $by }. Goodbye.
goodbye = We did not receive a choice. You can ring this number back at any time. Goodbye.

# Who has a visit hears it first.
visit-stands = Your visit is agreed. A technician comes on { $visit }.
keys-visit-slot = If that suits you, there is nothing to do. A technician could also come on { $slot }. To take that time instead, press 1. To ask for another time, press 2. To speak with a person, press 3. To get no more calls like this one, press 9. To hear this again, press 0.
keys-visit = If that suits you, there is nothing to do. To ask for another time, press 2. To speak with a person, press 3. To get no more calls like this one, press 9. To hear this again, press 0.
visit-moved = Thank you. Your visit is now on { $slot }. Goodbye.
visit-another-time = Thank you. A colleague will ring you by { $by } to agree on another time. Until then your visit on { $visit } stands. Goodbye.
visit-person = Thank you. A colleague will ring you by { $by }. Your visit on { $visit } stands. Goodbye.
visit-do-not-call = We have noted it. You will get no more calls like this one. Your visit on { $visit } stands. Goodbye.
visit-not-saved = We are sorry. Your choice could not be saved just now. Your visit on { $visit } stands. A colleague will ring you by { $by }. Goodbye.
visit-goodbye = Your visit on { $visit } stands. You can ring this number at any time. Goodbye.

# Who rings us.
welcome = Hello. This is { $brand } customer service, an automatic system. It never asks for a password or a code.
welcome-unnamed = Hello. This is the customer service of your appliance's maker, an automatic system. It never asks for a password or a code.
nothing-open = There is no message for you about your appliance just now.
keys-person = If a colleague should ring you by { $by }, press 3. To get no automatic calls, press 9. To hear this again, press 0.
caller-goodbye = We did not receive a choice. You can ring this number at any time. Goodbye.
which-number = We do not know the number that you ring from. Please key in the number of your ticket, or the figures of your appliance's serial number, and then press the hash key.
number-unknown = We found nothing under that number.
which-again = Please key it in again, and then press the hash key.
number-named = Thank you. A colleague will ring the telephone number that we have for this appliance by { $by }. Goodbye.
ring-from-own = Please ring us from the telephone whose number you gave us. Goodbye.
